"""The timing command: which times it writes, not their values."""

import csv
import json
import os

import numpy as np
import pytest
import soundfile

from study.evaluation.timing import summary
from tests.support import study_copy

pytest.importorskip("pandas", reason="needs study/requirements.txt")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell what a process took")
def test_each_sample_and_model_has_its_times(home, tmp_path):
    study_copy.install(home)
    noise = np.random.default_rng(1).normal(0, 0.1, (2 * 8000, 1))
    soundfile.write(tmp_path / "a memo.wav", noise, 8000)
    out = tmp_path / "results"
    run = study_copy.run_study(
        home, "timing", tmp_path / "a memo.wav", "--models", study_copy.MODEL, "umx", "--repeats", 1, "--out", out
    )
    assert run.returncode == 3
    assert "skipped umx: " in run.stderr
    (row,) = table(out / "timing.csv")
    assert (row["sample"], row["model"]) == ("a memo", study_copy.MODEL)
    assert float(row["user"]) > 0
    assert float(row["loading"]) > 0
    (sample,) = table(out / "samples.csv")
    assert (float(sample["seconds"]), int(sample["bytes"])) == (2.0, (tmp_path / "a memo.wav").stat().st_size)
    assert int(sample["bit_rate"]) in (128, 129)  # 8000 samples of 16 bits, and a header
    assert len(json.loads((out / "timing.json").read_text())["runs"]) == 2  # one of the sample, one of silence


def test_a_row_is_the_median_of_its_runs_without_loading():
    walls = {"loading": [1.0, 9.0, 2.0], "song": [12.0, 11.0, 30.0]}
    runs = [
        {"sample": sample, "model": "umx", "user": 2 * wall, "system": 0.5, "wall": wall}
        for sample, seconds in walls.items()
        for wall in seconds
    ]
    (row,) = summary([{"sample": "song", "seconds": 61.0}], runs)
    assert (row["wall"], row["user"], row["system"], row["spread"], row["loading"]) == (12, 24, 0.5, 19, 2)
    assert row["speed"] == pytest.approx(61 / 12)


@pytest.mark.parametrize("content", [b"", b"no sound at all"])
def test_files_that_are_not_audio_are_refused_before_timing(home, tmp_path, content):
    study_copy.install(home)
    (tmp_path / "bad.wav").write_bytes(content)
    run = study_copy.run_study(home, "timing", tmp_path / "bad.wav", "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr == "error: bad.wav cannot be read as audio.\n"
    assert not (tmp_path / "out").exists()
