"""The quality command on made-up songs and a random model: which scores it writes, not their values."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile

from tests.support import study_copy
from tests.support.project import copy_project

pytest.importorskip("museval", reason="needs study/requirements.txt")
RATE = 44100


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Two songs of 2 s with four stems, and one of vocals and accompaniment.

    The former are mono, because museval solves systems of equations whose size grows with sources and channels.
    """
    folder = tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(4)
    four, two = ("vocals", "drums", "bass", "other"), ("vocals", "accompaniment")
    for name, stems, nb_channels in (("one", four, 1), ("three", two, 2), ("two", four, 1)):
        (folder / name).mkdir()
        for stem in stems:
            soundfile.write(folder / name / f"{stem}.wav", 0.1 * rng.standard_normal((2 * RATE, nb_channels)), RATE)
    return folder


@pytest.fixture(scope="module")
def studied_home(tmp_path_factory):
    return study_copy.install(copy_project(tmp_path_factory.mktemp("project")))


@pytest.fixture(scope="module")
def measured(studied_home, songs, tmp_path_factory):
    """The folder of results, and the finished command."""
    out = tmp_path_factory.mktemp("results") / "out"
    run = quality(studied_home, songs, out)
    return out, run


def quality(home, songs, out, *options):
    models = ("--models", study_copy.MODEL, "umx")
    return study_copy.run_study(home, "quality", "--root", songs, *models, "--out", out, *options)


def rows(out):
    with (out / "quality.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_song_target_and_second_has_its_row(measured):
    out, _ = measured
    found = [(row["song"], row["among"], row["target"], int(row["frame"])) for row in rows(out)]
    two = [(song, "two", target) for song in ("one", "three", "two") for target in ("vocals", "accompaniment")]
    four = [(song, "four", target) for song in ("one", "two") for target in ("vocals", "drums", "bass", "other")]
    assert sorted(found) == sorted((*key, frame) for key in two + four for frame in range(2))
    for row in rows(out):
        assert all(np.isfinite(float(row[metric])) for metric in ("SDR", "SIR", "SAR", "ISR"))


def test_csv_and_parquet_are_equal(measured):
    import pandas as pd

    out, _ = measured
    pd.testing.assert_frame_equal(pd.read_csv(out / "quality.csv"), pd.read_parquet(out / "quality.parquet"))


def test_vocals_differ_between_two_and_four_targets(measured):
    out, _ = measured
    sir = {
        (row["among"], row["frame"]): row["SIR"]
        for row in rows(out)
        if (row["song"], row["target"]) == ("one", "vocals")
    }
    assert sir["two", "0"] != sir["four", "0"]


def test_each_song_has_musevals_own_file(measured):
    out, _ = measured
    store = json.loads((out / "museval" / study_copy.MODEL / "four" / "one.json").read_text())
    assert [target["name"] for target in store["targets"]] == ["vocals", "drums", "bass", "other"]
    sdr = {
        row["frame"]: float(row["SDR"])
        for row in rows(out)
        if (row["song"], row["among"], row["target"]) == ("one", "four", "bass")
    }
    (bass,) = [target for target in store["targets"] if target["name"] == "bass"]
    assert [frame["metrics"]["SDR"] for frame in bass["frames"]] == pytest.approx([sdr["0"], sdr["1"]], abs=1e-5)


def test_a_missing_model_is_named_and_skipped(measured):
    _, run = measured
    assert run.returncode == 3
    assert "skipped umx: " in run.stderr
    assert "Traceback" not in run.stderr


def test_only_missing_songs_are_measured_again(studied_home, songs, measured):
    out, _ = measured
    folder = out / "museval" / study_copy.MODEL / "two"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    table = rows(out)
    (folder / "one.csv").unlink()
    assert quality(studied_home, songs, out).returncode == 3
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {path.stem for path in before if after[path] != before[path]} == {"one"}
    assert rows(out) == table


def test_results_of_another_kind_are_not_mixed(studied_home, songs, measured):
    out, _ = measured
    run = quality(studied_home, songs, out, "--duration", 1)
    assert run.returncode == 2
    assert "please choose another --out" in run.stderr


def test_a_song_whose_stems_differ_is_named(studied_home, songs, tmp_path):
    spoilt = shutil.copytree(songs, tmp_path / "spoilt")
    soundfile.write(spoilt / "two" / "bass.wav", np.zeros((RATE, 2)), RATE)
    run = quality(studied_home, spoilt, tmp_path / "out", "--targets", "vocals")
    assert run.returncode == 2
    assert "error: The stems of two differ" in run.stderr
    assert "Traceback" not in run.stderr
