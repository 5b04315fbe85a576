"""What was promised and is kept: room for what waits, lengths that are mended for good, an end for what has started."""

import errno
import os
import shutil
import signal
import struct
import sys
import time
from pathlib import Path

import pytest

from tests import double, processes, waves
from webapp import jobs, sounds
from webapp.background import pictures
from webapp.jobs import Job

HOUR = 3600


def test_no_more_songs_are_queued_than_find_room(quick_home, serve):
    """Ten songs are there, and room for the stems of three."""
    song = waves.wave(bytes(400_000))
    share = 100 * len(song) * (10 + 3 * 2 + 1) / shutil.disk_usage(quick_home).total
    client = serve(f"--max-disk-percent={share:.9f}").client()
    double.order(quick_home, seconds=double.LONG)
    sent = [client.uploaded_job(song) for _ in range(10)]
    statuses = [client.separate(job).status for job in sent]
    assert statuses == [202] * 3 + [503] * 7
    double.order(quick_home)
    for job in sent[:3]:
        client.wait_for(job, "done")
    assert client.separate(sent[3]).status == 503
    for job in sent[:2]:
        client.post("/cgi-bin/delete.py", job=job)
    client.separate(sent[3])
    client.wait_for(sent[3], "done")


@pytest.mark.skipif(os.name == "nt", reason="reads what a descriptor of another's holds")
def test_a_length_that_is_mended_is_on_the_disk_for_good(tmp_path, monkeypatch):
    path = tmp_path / "song.wav"
    path.write_bytes(waves.wave(data_length=0, riff_length=0))
    kept = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: kept.append(os.pread(descriptor, 1 << 20, 0)))
    sounds.check(path)
    assert kept[-1] == path.read_bytes() != waves.wave(data_length=0, riff_length=0)


def test_a_separation_that_cannot_be_started_is_told_and_keeps_nobody_waiting(quick_home, serve):
    table = quick_home / "webapp" / "engines.toml"
    started = '"{python}", "-m", "openunmix_models.double"'
    assert table.read_text("utf-8").count(started) == 1
    table.write_text(table.read_text("utf-8").replace(started, '"no-such-program", "openunmix_models.double"'), "utf-8")
    client = serve().client()
    sent = [client.uploaded_job(waves.wave()) for _ in range(2)]
    for job in sent:
        assert client.separate(job).status == 202
    for job in sent:
        assert "could not be started" in client.wait_for(job, "failed")["error"]
    assert client.post("/cgi-bin/delete.py", json_wanted=True, job=sent[0]).status == 200


def test_a_picture_that_finds_no_room_leaves_none_taken_and_one_line_in_the_log(tmp_path, monkeypatch, caplog):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = Job(id="0" * 32, state="done", name="a.wav", seconds=1.0)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["pictures", job.id])
    monkeypatch.setattr(pictures, "DOWNLOADS", tmp_path)
    monkeypatch.setattr(jobs, "load", lambda _: job)
    monkeypatch.setattr(Job, "outdir", tmp_path / job.id)
    monkeypatch.setattr(Job, "source", tmp_path / "song.wav")
    job.outdir.mkdir()
    job.source.write_bytes(waves.wave())
    pictures.main()
    assert [path.name for path in job.outdir.iterdir()] == [".pictures"]
    (line,) = caplog.messages
    assert line == "job 00000000 stays without pictures: [Errno 28] No space left on device"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_tagging_whose_worker_was_killed_is_ended_before_the_song_runs_again(quick_home, serve):
    title = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
    song = waves.wave(riff_length=36 + 8000 + len(title)) + title
    tagging = quick_home / "webapp" / "metadata" / "tagging.py"
    honest = tagging.read_text()
    slow = f"import pathlib, time; pathlib.Path('begun').touch(); time.sleep({HOUR})"
    tagging.write_text(honest.replace("def main() -> None:", f"def main() -> None:\n    {slow}"))
    client = serve().client()
    job = client.uploaded_job(song)
    client.separate(job)
    left = processes.one(quick_home, "webapp.metadata.tagging")
    wait_until_there(quick_home / "begun")
    tagging.write_text(honest)
    os.kill(processes.one(quick_home, "webapp.background.worker"), signal.SIGKILL)
    client.wait_for(job, "done")
    processes.wait_until_ended(quick_home, left, seconds=5)


def wait_until_there(path: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not come"
        time.sleep(0.02)
