"""A disk without space for the log."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import wave_files
from tests.support.project import PROJECT

DISK = 4  # exit status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes a device that is full")
@pytest.mark.parametrize("options", [[], ["--keep-warm", "0.02"]])
def test_a_full_disk_for_the_log_keeps_the_exit_status(tmp_path, monkeypatch, options):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "song.wav").write_bytes(wave_files.encoded())
    argv = [str(tmp_path / "song.wav"), "--model", "starter", "--residual", "music", "--outdir", str(tmp_path / "out")]
    command = [sys.executable, "-m", "openunmix_models", *argv, *options]
    with Path("/dev/full").open("wb") as full:
        completed = subprocess.run(command, cwd=PROJECT, stdout=full, stderr=full, timeout=60, check=False)
    assert completed.returncode == DISK
