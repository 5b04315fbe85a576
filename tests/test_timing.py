"""Times are measured by the command, as whole processes: which times, not how long."""

import csv
import json
import os

import numpy as np
import pytest
import soundfile

from study.timing import summary
from tests import studied

pytest.importorskip("pandas", reason="needs study/requirements.txt")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell what a process took")
def test_each_sample_and_model_has_its_times(home, tmp_path):
    studied.put_in(home)
    noise = np.random.default_rng(1).normal(0, 0.1, (2 * 8000, 1))
    soundfile.write(tmp_path / "a memo.wav", noise, 8000)
    out = tmp_path / "results"
    run = studied.study(
        home, "timing", tmp_path / "a memo.wav", "--models", studied.MODEL, "umx", "--repeats", 1, "--out", out
    )
    assert run.returncode == 3
    assert "skipped umx: " in run.stderr
    (row,) = table(out / "timing.csv")
    assert (row["sample"], row["model"]) == ("a memo", studied.MODEL)
    assert float(row["user"]) > 0.1  # Python and torch alone take more
    assert float(row["loading"]) > 0.1
    (sample,) = table(out / "samples.csv")
    assert (float(sample["seconds"]), int(sample["bytes"])) == (2.0, (tmp_path / "a memo.wav").stat().st_size)
    assert int(sample["bit_rate"]) in (128, 129)  # 8000 samples of 16 bits, and a header
    assert len(json.loads((out / "timing.json").read_text())["runs"]) == 2  # of the sample, and of silence


def test_a_row_is_the_median_of_its_runs_and_loading_is_told_apart():
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
def test_what_is_no_sound_is_told_before_anything_is_timed(home, tmp_path, content):
    studied.put_in(home)
    (tmp_path / "bad.wav").write_bytes(content)
    run = studied.study(home, "timing", tmp_path / "bad.wav", "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr == "error: bad.wav cannot be read as audio.\n"
    assert not (tmp_path / "out").exists()
