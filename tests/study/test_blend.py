"""study blend: the shares that it finds are the best, and the folder that it writes is a model."""

import argparse

import numpy as np
import pytest
import soundfile

from openunmix_models.loading import load_model
from openunmix_models.weights import find_model
from study.evaluation import blend
from tests.support.random_model import save_random_model

RATE = 44100


@pytest.fixture
def songs(tmp_path):
    """Two songs of a second, and one without vocals."""
    rng = np.random.default_rng(0)
    for name, level in (("one", 0.1), ("two", 0.2), ("without", 0.0)):
        folder = tmp_path / "songs" / name
        folder.mkdir(parents=True)
        for stem, loudness in (("vocals", level), ("accompaniment", 0.1)):
            soundfile.write(folder / f"{stem}.wav", loudness * rng.standard_normal((RATE, 2)), RATE, "FLOAT")
    return tmp_path / "songs"


def options(root, models, out=None, step=0.1) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    blend.add_arguments(parser)
    argv = ["--root", str(root), "--models", *map(str, models), "--step", str(step), "--no-museval"]
    return parser.parse_args([*argv, *(["--out", str(out)] if out else [])])


def test_a_blend_is_written_that_the_command_takes(songs, tmp_path, capsys):
    models = [save_random_model(tmp_path / name, gain=gain) for name, gain in (("low", -0.2), ("high", 0.4))]
    assert blend.main(options(songs, models, tmp_path / "mine")) == 0
    captured = capsys.readouterr()
    assert "skipped without: it has no vocals." in captured.err
    written = find_model(str(tmp_path / "mine"))
    assert {folder for folder, _ in written.parts} <= set(models)
    assert sum(share for _, share in written.parts) == pytest.approx(1)
    load_model(written, ["vocals"], "cpu")
    assert "study blend` on 2 songs of `songs`" in (tmp_path / "mine" / "README.md").read_text()
    assert "| vocals, mean SDR |" in captured.out


def test_the_best_shares_have_the_highest_sdr():
    rng = np.random.default_rng(1)
    vocals, error = rng.standard_normal((2, RATE, 2))
    song = blend.Song("x", RATE, 2 * vocals, vocals, [vocals + 0.3 * error, vocals - 0.7 * error])
    trials = {shares: blend.sdr(vocals, song.blend(shares)) for shares in blend.weight_grid(2, 0.1)}
    assert max(trials, key=lambda shares: trials[shares]) == (0.7, 0.3)  # there the errors cancel


def test_sdr_is_the_ratio_of_energies():
    reference = np.ones((100, 2))
    assert blend.sdr(reference, 0.9 * reference) == pytest.approx(20)
    assert blend.sdr(reference, 0 * reference) == pytest.approx(0)


@pytest.mark.parametrize(("nb_models", "step", "expected"), [(2, 0.5, 3), (2, 0.1, 11), (3, 0.1, 66)])
def test_the_grid_has_all_shares(nb_models, step, expected):
    shares = list(blend.weight_grid(nb_models, step))
    assert len(set(shares)) == expected
    assert all(sum(each) == pytest.approx(1) for each in shares)


@pytest.mark.parametrize(("models", "step"), [(["starter"], 0.1), (["starter", "starter"], 0.1), (["a", "b"], 0)])
def test_wrong_arguments_are_told(songs, models, step, capsys):
    assert blend.main(options(songs, models, step=step)) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_missing_model_is_reported(songs, capsys):
    assert blend.main(options(songs, ["starter", "nobody"])) == 2
    assert "error: There is no model called nobody." in capsys.readouterr().err
