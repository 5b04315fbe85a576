"""Disk space for queued jobs, engines that do not start, and processes of a killed worker."""

import os
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.project import add_engine

HOUR = 3600


def test_jobs_are_queued_only_while_their_stems_fit_on_the_disk(fake_engine_home, start_server):
    """There are ten songs, and disk space for the stems of three."""
    song = wave_files.wav(bytes(400_000))
    share = 100 * len(song) * (10 + 3 * 2 + 1) / shutil.disk_usage(fake_engine_home).total
    client = start_server(f"--max-disk-percent={share:.9f}").client()
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    sent = [client.uploaded_job(song) for _ in range(10)]
    statuses = [client.separate(job).status for job in sent]
    assert statuses == [202] * 3 + [503] * 7
    fake_engine.configure(fake_engine_home)
    for job in sent[:3]:
        client.wait_for(job, "done")
    assert client.separate(sent[3]).status == 503
    for job in sent[:2]:
        client.post("/cgi-bin/delete.py", job=job)
    client.separate(sent[3])
    client.wait_for(sent[3], "done")


def test_an_engine_that_cannot_be_started_fails_its_jobs_at_once(fake_engine_home, start_server):
    add_engine(fake_engine_home, "broken", ["no-such-program", "{source}"])
    client = start_server().client()
    sent = [client.uploaded_job(wave_files.wav()) for _ in range(2)]
    for job in sent:
        assert client.separate(job, "broken").status == 202
    for job in sent:
        assert "could not be started" in client.wait_for(job, "failed")["error"]
    assert client.post("/cgi-bin/delete.py", json_wanted=True, job=sent[0]).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_copying_of_tags_is_killed_before_the_job_runs_again(fake_engine_home, start_server):
    title = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
    song = wave_files.wav(riff_length=36 + 8000 + len(title)) + title
    client = start_server().client()
    job = client.uploaded_job(song)
    client.separate(job)
    left = processes.pause_next(fake_engine_home, "webapp.worker.copy_tags")
    os.kill(processes.wait_for_one(fake_engine_home, "webapp.worker.main"), signal.SIGKILL)
    client.wait_for(job, "done")
    processes.wait_until_ended(fake_engine_home, left)


def test_a_job_whose_state_cannot_be_written_does_not_block_the_queue(fake_engine_home, start_server):
    client = start_server().client()
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    first, stuck, last = (client.uploaded_job(wave_files.wav()) for _ in range(3))
    for job in (first, stuck, last):
        client.separate(job)
    client.wait_for(first, "running")
    in_the_way = fake_engine_home / "uploads" / stuck / ".state.json.part"
    in_the_way.mkdir()
    fake_engine.configure(fake_engine_home)
    client.wait_for(last, "done")
    assert client.state(stuck)["state"] == "queued"
    in_the_way.rmdir()
    client.wait_for(stuck, "done")


def test_drawing_of_deleted_stems_ends_without_an_error(fake_engine_home, start_server):
    client = start_server().client()
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    client.wait_for(job, "done")
    shutil.rmtree(fake_engine_home / "downloads" / job, ignore_errors=True)
    command = [sys.executable, "-m", "webapp.worker.pictures"]
    env = os.environ | {"JOB": job}
    assert subprocess.run(command, cwd=fake_engine_home, env=env, capture_output=True, check=True).stderr == b""
