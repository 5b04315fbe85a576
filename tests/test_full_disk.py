"""A disk that is full at some moments of a song's way, and an engine whose log finds no room."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import waves
from tests.conftest import PROJECT

DISK = 4  # exit status


def test_a_song_finds_its_end_or_its_sentence_on_a_full_disk(trial):
    rows = trial("full_disk", 24)
    if rows[0]["what"].startswith("not tried"):
        pytest.skip(rows[0]["what"])
    assert [row["found"] for row in rows if row["found"]] == []
    assert sum(row["trials"] for row in rows) > 8


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes a device that is full")
@pytest.mark.parametrize("warm", [[], ["--keep-warm", "0.02"]])
def test_a_log_that_finds_no_room_leaves_the_exit_status(tmp_path, monkeypatch, warm):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "song.wav").write_bytes(waves.written())
    argv = [str(tmp_path / "song.wav"), "--model", "starter", "--residual", "music", "--outdir", str(tmp_path / "out")]
    command = [sys.executable, "-m", "openunmix_models", *argv, *warm]
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(command, cwd=PROJECT, stdout=full, stderr=full, timeout=60, check=False)
    assert told.returncode == DISK
