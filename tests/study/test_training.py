"""Training of a tiny network on short songs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.support.project import PROJECT

pytest.importorskip("matplotlib", reason="needs study/requirements.txt")
from study import __main__ as study

RATE = 44100
TINY = (
    "--hidden-size=24", "--nfft=1024", "--nhop=512", "--seq-dur=0.5", "--batch-size=4", "--samples-per-track=8",
    "--lr=0.01", "--nb-workers=0", "--device=cpu", "--seed=1",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """With networks this small, threads only wait for each other."""
    nb_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(nb_threads)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six songs of two seconds: the vocals are tones that change every 0.1 s, the accompaniment is noise."""
    root, rng = tmp_path_factory.mktemp("songs"), np.random.default_rng(0)
    for index in range(6):
        hertz = np.repeat(rng.uniform(400, 2000, 20) * (rng.random(20) < 0.8), RATE // 10)
        tone = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
        folder = root / f"song {index}"
        folder.mkdir()
        soundfile.write(folder / "vocals.wav", np.stack([tone, tone], 1), RATE)
        soundfile.write(folder / "accompaniment.wav", 0.1 * rng.standard_normal((len(tone), 2)), RATE)
    return root


def run(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["study", "train", *map(str, words)])
    return study.main()


def losses(out: Path) -> list:
    return torch.load(out / "checkpoint.pt", weights_only=True)["losses"]


@pytest.fixture(scope="module")
def trained(songs, tmp_path_factory):
    """A model trained on them for 16 epochs."""
    out = tmp_path_factory.mktemp("models") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "--root", songs, "--out", out, "--epochs=16", *TINY) == 0
    return out


def test_the_loss_falls_by_half(trained):
    curve = losses(trained)
    assert len(curve) == 16
    assert curve[-1][0] < curve[0][0] / 2
    assert curve[-1][1] < curve[0][1] / 2


def test_the_model_separates_a_tone_from_noise(trained, songs, tmp_path):
    rng, time = np.random.default_rng(9), np.arange(2 * RATE) / RATE
    tone, noise = 0.3 * np.sin(2 * np.pi * 1000 * time), 0.1 * rng.standard_normal(2 * RATE)
    soundfile.write(tmp_path / "song.wav", np.stack([tone + noise] * 2, 1), RATE, "FLOAT")
    command = [sys.executable, "-m", "openunmix_models", "song.wav", "--model", trained, "--no-cuda"]
    targets = ["--targets", "vocals", "--residual", "residual", "--outdir", tmp_path]
    subprocess.run([*command, *targets], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=True)
    estimate = soundfile.read(tmp_path / "song" / "vocals.wav")[0][:, 0]
    before, after = np.sum(noise**2), np.sum((estimate - tone) ** 2)
    assert 10 * np.log10(before / after) > 3  # dB better than the mixture


def test_the_model_is_complete(trained):
    assert json.loads((trained / "separator.json").read_text())["nhop"] == 512
    assert json.loads((trained / "vocals.json").read_text())["args"]["hidden_size"] == 24
    assert (trained / "loss.png").stat().st_size > 1000
    card = (trained / "README.md").read_text()
    assert "| hidden-size | 24 |" in card
    assert "Epochs: 16" in card
    assert str(trained.parent) not in card
    weights = torch.load(trained / "vocals.pth", weights_only=True)
    assert {value.dtype for value in weights.values()} == {torch.float16, torch.int64}


def test_a_resumed_training_equals_an_uninterrupted_one(songs, tmp_path, monkeypatch):
    words = ["--root", songs, *TINY]
    assert run(monkeypatch, *words, "--out", tmp_path / "through", "--epochs=4") == 0
    with monkeypatch.context() as patch:
        patch.setattr("study.training.trainer.draw_losses", _stop_after(2))
        with pytest.raises(KeyboardInterrupt):
            run(patch, *words, "--out", tmp_path / "resumed", "--epochs=4")
    assert len(losses(tmp_path / "resumed")) == 2
    assert run(monkeypatch, *words, "--out", tmp_path / "resumed", "--epochs=4", "--resume") == 0
    assert losses(tmp_path / "resumed") == losses(tmp_path / "through")
    assert losses(tmp_path / "through")[0] != losses(tmp_path / "through")[1]


def _stop_after(nb_epochs: int):
    def draw(path, curve):
        if len(curve) == nb_epochs:
            raise KeyboardInterrupt

    return draw


def test_training_stops_early_without_progress(songs, tmp_path, monkeypatch):
    assert run(monkeypatch, "--root", songs, "--out", tmp_path, "--epochs=50", "--patience=2", *TINY, "--lr=0") == 0
    assert len(losses(tmp_path)) < 50


def test_training_starts_from_a_given_model(trained, songs, tmp_path, monkeypatch):
    assert run(monkeypatch, "--root", songs, "--out", tmp_path, "--model", trained, "--epochs=1", *TINY, "--lr=0") == 0
    assert losses(tmp_path)[0][1] < 0.7 * losses(trained)[0][1]


def test_musdb_layout_has_drums_bass_and_other(tmp_path):
    from study.training.datasets import find_tracks

    for track in ("a", "b"):
        (tmp_path / "train" / track).mkdir(parents=True)
        for level, stem in enumerate(("mixture", "vocals", "drums", "bass", "other")):
            soundfile.write(tmp_path / "train" / track / f"{stem}.wav", np.full((100, 1), level / 10), RATE, "FLOAT")
    (track,), (valid,) = find_tracks(tmp_path, "drums")
    assert {track.name, valid.name} == {"a", "b"}
    assert track.read(True, 10, 5) == pytest.approx(0.2)
    assert track.read(False, 10, 5) == pytest.approx(0.1 + 0.3 + 0.4)
    assert track.read(True, 98, 5).tolist() == pytest.approx(np.repeat([[0.2, 0.2, 0, 0, 0]], 2, 0))


def test_an_undivided_accompaniment_is_left_out_when_drums_are_the_target(tmp_path):
    from study.training.datasets import find_tracks

    stems = {"known": ("vocals", "accompaniment", "drums", "bass", "other"), "unknown": ("vocals", "accompaniment")}
    for name, present in {f"{kind} {i}": names for kind, names in stems.items() for i in range(2)}.items():
        (tmp_path / name).mkdir()
        for stem in present:
            soundfile.write(tmp_path / name / f"{stem}.wav", np.full((100, 1), 0.1), RATE, "FLOAT")
    (tmp_path / "without drums").mkdir()
    soundfile.write(tmp_path / "without drums/other.wav", np.full((100, 1), 0.1), RATE, "FLOAT")
    names = {track.name: track for part in find_tracks(tmp_path, "drums") for track in part}
    assert set(names) == {"known 0", "known 1", "without drums"}
    assert names["known 0"].read(False, 0, 5) == pytest.approx(0.3)
    assert len([track for part in find_tracks(tmp_path, "vocals") for track in part]) == 5


def test_a_voice_alone_is_mixed_with_music_alone(tmp_path):
    from study.training.datasets import Examples, find_tracks

    for index in range(4):
        stem = "vocals" if index % 2 else "accompaniment"
        (tmp_path / str(index)).mkdir()
        soundfile.write(tmp_path / str(index) / f"{stem}.wav", np.full((RATE, 2), 0.1 + 0.1 * (index % 2)), RATE)
    for part in find_tracks(tmp_path, "vocals"):
        assert len(part) == 2
        mixture, target = Examples(part, 4, 0.5, 1024, 512, seed=0, augmented=False)[0]
        assert (target[:, 0] / mixture[:, 0]).numpy() == pytest.approx(0.2 / 0.3, rel=0.01)


def _empty(root: Path) -> None:
    root.mkdir()


def _without_other_stems(root: Path) -> None:
    for name in "ab":
        (root / name).mkdir(parents=True)
        soundfile.write(root / name / "vocals.wav", np.zeros((RATE, 2)), RATE)


def _wrong_rate(root: Path) -> None:
    _without_other_stems(root)
    soundfile.write(root / "b" / "accompaniment.wav", np.zeros((RATE, 2)), 22050)


def _no_sound(root: Path) -> None:
    _without_other_stems(root)
    (root / "a" / "accompaniment.wav").write_text("not a sound")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: None, "There is no folder songs."),
        (_empty, "songs holds 0 songs with vocals.wav and other stems; at least two are needed."),
        (_without_other_stems, "songs holds 0 songs with vocals.wav"),
        (_wrong_rate, "b/accompaniment.wav has 2 channels at 22050 Hz"),
        (_no_sound, "a/accompaniment.wav is not a sound file."),
    ],
)
def test_unusable_folders_get_one_sentence(make, sentence, tmp_path, monkeypatch, capsys):
    make(tmp_path / "songs")
    assert run(monkeypatch, "--root", tmp_path / "songs", "--out", tmp_path / "out", *TINY) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--resume"], ["--model", "elsewhere"]])
def test_resuming_needs_a_checkpoint_or_a_model(words, songs, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "--root", songs, "--out", tmp_path, *TINY, *words) == 2
    assert capsys.readouterr().err.count("error: ") == 1
