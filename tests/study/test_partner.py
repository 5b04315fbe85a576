"""Training of a network for a blend with a partner."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from tests.support.random_model import save_random_model

pytest.importorskip("matplotlib", reason="needs study/requirements.txt")
from study import __main__ as study
from study.training.datasets import find_tracks
from study.training.partner import PartneredExamples, with_estimates
from study.training.trainer import Trainer

RATE = 44100
ESTIMATE = "vocals.partner.wav"
TINY = (
    "--hidden-size=24", "--nfft=1024", "--nhop=512", "--seq-dur=0.3", "--batch-size=4", "--samples-per-track=4",
    "--epochs=2", "--nb-workers=0", "--device=cpu",
)  # fmt: skip


@pytest.fixture
def songs(tmp_path):
    """Two songs of a second, and a third that has no voice; all of it is noise."""
    root, rng = tmp_path / "songs", np.random.default_rng(0)
    for song, stems in {"a": ("vocals", "accompaniment"), "b": ("vocals", "accompaniment"), "c": ("other",)}.items():
        (root / song).mkdir(parents=True)
        for stem in stems:
            soundfile.write(root / song / f"{stem}.wav", 0.1 * rng.standard_normal((RATE, 2)), RATE)
    return root


@pytest.fixture
def partner(tmp_path):
    return save_random_model(tmp_path / "partner")


def run(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["study", "train", *map(str, words)])
    return study.main()


def valid_losses(out: Path) -> list[float]:
    return [valid for _, valid in torch.load(out / "checkpoint.pt", weights_only=True)["losses"]]


def test_the_partner_separates_each_song_once(songs, partner, tmp_path, monkeypatch):
    words = ["--root", songs, "--partner", partner, *TINY]
    assert run(monkeypatch, *words, "--out", tmp_path / "first") == 0
    files = {path: path.stat().st_mtime_ns for path in songs.glob("**/*.wav")}
    assert {path.parent.name for path in files if path.name == ESTIMATE} == {"a", "b", "c"}
    assert {path.name for path in songs.glob("*/*")} == {"vocals.wav", "accompaniment.wav", "other.wav", ESTIMATE}
    assert run(monkeypatch, *words, "--out", tmp_path / "second") == 0
    assert files == {path: path.stat().st_mtime_ns for path in songs.glob("**/*.wav")}
    assert json.loads((tmp_path / "first" / "separator.json").read_text())["niter"] == 0
    card = (tmp_path / "first" / "README.md").read_text()
    assert "a blend with `partner`" in card
    assert str(tmp_path) not in card


def test_a_partner_with_the_whole_share_leaves_nothing_to_learn(songs, partner, tmp_path, monkeypatch):
    words = ["--root", songs, "--partner", partner, *TINY, "--lr=0.1", "--weight-decay=0"]
    assert run(monkeypatch, *words, "--out", tmp_path / "all", "--partner-share=1") == 0
    assert len(set(valid_losses(tmp_path / "all"))) == 1
    assert run(monkeypatch, *words, "--out", tmp_path / "half", "--partner-share=0.5") == 0
    assert len(set(valid_losses(tmp_path / "half"))) == 2


def test_the_loss_is_that_of_the_blend():
    mixtures = torch.rand(3, 2, 9, 5) + 1
    targets, partner = mixtures * torch.rand(2, 3, 2, 9, 5)
    complement = (targets - 0.7 * partner) / 0.3
    trainer = SimpleNamespace(device="cpu", mixed_precision=False, arguments=Namespace(partner_share=0.7))
    assert Trainer._loss(trainer, lambda _: complement, mixtures, targets, partner) < 1e-10
    assert Trainer._loss(trainer, lambda _: targets, mixtures, targets, partner) > 1e-3


def test_an_example_holds_the_same_moment_of_mixture_target_and_estimate(songs):
    for song in "ab":
        sound = soundfile.read(songs / song / "vocals.wav")[0]
        soundfile.write(songs / song / ESTIMATE, sound, RATE)
        soundfile.write(songs / song / "accompaniment.wav", np.zeros_like(sound), RATE)
    soundfile.write(songs / "c" / ESTIMATE, np.zeros((RATE, 2)), RATE)
    tracks = _with_partner(songs)
    examples = PartneredExamples(tracks, 2 * len(tracks), 0.3, 1024, 512, seed=0, augmented=True)
    for index, track in enumerate(tracks * 2):
        mixture, target, estimate = examples[index]
        expected = mixture if track.targets else torch.zeros_like(mixture)
        assert mixture.mean() > 0.01
        assert target.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
        assert estimate.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def _with_partner(songs: Path) -> list:
    """All songs, whose estimates by "partner" are there already."""
    model = save_random_model(songs.parent / "partner")
    return [track for part in find_tracks(songs, "vocals") for track in with_estimates(part, str(model), "vocals")]


def test_the_target_is_the_part_in_phase_with_the_mixture(songs, partner):
    """A mask that makes of the mixture's magnitudes this target has the least error in the spectrum."""
    tracks = with_estimates(find_tracks(songs, "vocals")[0], str(partner), "vocals")
    examples = PartneredExamples(tracks, 1, 0.3, 1024, 512, seed=0, augmented=False)
    track, start, _ = examples._place(tracks[0], np.random.default_rng([0, 0, 0]))
    sounds = np.stack([track.read(of_target, start, examples.nb_samples) for of_target in (True, False)])
    target, rest = examples._stft(torch.from_numpy(sounds))
    mixture, (_, in_phase, _) = target + rest, examples[0]
    best = (in_phase / mixture.abs() * mixture - target).abs().square().sum()
    for factor in (0.98, 1.02):
        assert (factor * in_phase / mixture.abs() * mixture - target).abs().square().sum() > best


def test_an_unknown_partner_gets_one_sentence(songs, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "--root", songs, "--partner", "nobody", "--out", tmp_path / "out", *TINY) == 2
    assert capsys.readouterr().err == "error: There is no model called nobody.\n"
    assert not (tmp_path / "out").exists()
