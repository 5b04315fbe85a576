"""The benchmarks run and print their tables."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.project import PROJECT


def study(*arguments) -> str:
    """The output of `python -m study`, on one thread: several wait for each other on a busy machine."""
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    run = subprocess.run(
        command, cwd=PROJECT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def rows(printed: str) -> dict[str, list[str]]:
    """The rows of the printed tables: the first cell, and the list of the others."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    return {first: others for first, *others in lines}


def test_serving_prints_how_fast_an_upload_and_a_page_are():
    table = rows(study("serving", "--gigabytes", 0.01, "--repeats", 1, "--pages", 2, "--open-pages", 5, "--seconds", 1))
    for action in ("copy", "copy and fsync", "upload and fsync"):
        seconds, speed, beside = map(float, table[action])
        assert seconds >= 0
        assert speed > 0
        assert beside >= 0
    for page in ("home page", "uploaded page (a script)", "state as JSON"):
        assert float(table[page][0]) >= 0
    if Path("/proc/self/stat").exists():
        assert float(table["5 pages that poll once a second"][0]) >= 0


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell what a process took")
def test_speed_prints_both_commands_and_that_their_stems_agree(tmp_path):
    noise = np.random.default_rng(0).normal(
        0, 0.1, (2 * 44100, 2)
    )  # equal channels would make the filter's result depend on rounding
    soundfile.write(tmp_path / "song.wav", noise, 44100)
    printed = study("speed", tmp_path / "song.wav", "--against", "umx", "--repeats", 1)
    table = [line.split("|") for line in printed.splitlines() if line.startswith("| song, 2 s")]
    assert [cells[2].strip() for cells in table] == ["ours, starter", "umx"]
    for cells in table:
        wall, _user, _system, peak = map(float, cells[3:7])
        assert wall > 0
        assert peak > 50  # MB: more than Python alone
    difference = float(printed.split("targets' samples: ")[1].split()[0])
    assert difference <= 1e-4
