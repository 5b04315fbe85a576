"""Crashes of the server, the worker, engines and clients: no acknowledged job is lost or run twice, no file is left."""

import contextlib
import json
import os
import signal
import socket
import sys
import time

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.forms import upload_form
from tests.support.project import job_folders
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG
from webapp.limits import Limits

LARGE_FORM = upload_form(wave_files.wav(bytes(200_000)))  # a script is started before all of it has arrived


@pytest.fixture
def server(fake_engine_home, start_server):
    return start_server()


@pytest.fixture
def client(server):
    return server.client()


def running_job(client, home) -> str:
    """A job that runs until the fake engine is configured to be fast."""
    fake_engine.configure(home, seconds=fake_engine.FOREVER)
    job = queued_job(client)
    client.wait_for(job, "running")
    processes.wait_for_one(home, job)
    fake_engine.wait_until_started(home, job)
    return job


def queued_job(client, content: bytes = SONG) -> str:
    job = client.uploaded_job(content)
    assert client.separate(job).status == 202
    return job


def deeds_of(home, job: str) -> list[str]:
    return [what for name, what in fake_engine.events(home) if name == job]


# The server


def test_a_killed_server_loses_no_acknowledged_job(fake_engine_home, start_server):
    """One job in each state; after SIGKILL, the next server continues with each."""
    server = start_server()
    client = server.client()
    done = queued_job(client, wave_files.wav(b"\x05\x00" * 3000))
    client.wait_for(done, "done")
    fake_engine.configure(fake_engine_home, status=2)
    failed = queued_job(client)
    client.wait_for(failed, "failed")
    running = running_job(client, fake_engine_home)
    queued = [queued_job(client) for _ in range(2)]
    uploaded = client.uploaded_job(SONG, "歌.wav")
    before = {job: client.state(job) for job in (done, failed, uploaded)}

    server.kill()
    processes.wait_until_gone(fake_engine_home)
    client = start_server().client()
    assert {job: client.state(job) for job in before} == before
    assert client.get(before[done]["stems"][0]["url"]).body == wave_files.wav(b"\x05\x00" * 3000)
    assert (fake_engine_home / "uploads" / uploaded / "song.wav").read_bytes() == SONG
    fake_engine.configure(fake_engine_home)
    for job in (running, *queued):
        client.wait_for(job, "done")
    assert deeds_of(fake_engine_home, running) == ["starts", "starts", "ends"]
    again = [deed for deed in fake_engine.events(fake_engine_home) if deed[1] == "ends"][-3:]
    assert [job for job, _ in again] == [running, *queued]
    client.separate(uploaded)
    client.wait_for(uploaded, "done")


def test_a_server_killed_with_its_worker_loses_nothing(fake_engine_home, start_server):
    """The separation survives both; the next server must not run the job at the same time."""
    server = start_server()
    job = running_job(server.client(), fake_engine_home)
    worker = processes.wait_for_one(fake_engine_home, "webapp.worker.main")
    os.kill(worker, signal.SIGKILL)  # killed first, because it would end the separation
    server.kill()
    left = processes.wait_for_one(fake_engine_home, job)
    client = start_server().client()
    processes.wait_until_ended(fake_engine_home, left)
    fake_engine.configure(fake_engine_home)
    client.wait_for(job, "done")
    assert deeds_of(fake_engine_home, job) == ["starts", "starts", "ends"]


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_signal_stops_the_server_and_the_next_start_continues(fake_engine_home, start_server, signals):
    server = start_server()
    job = running_job(server.client(), fake_engine_home)
    queued = queued_job(server.client())
    for number in signals:
        server.process.send_signal(number)
    assert server.process.wait(60) == 0
    processes.wait_until_gone(fake_engine_home)
    kept = json.loads((fake_engine_home / "uploads" / job / "state.json").read_text())
    assert (kept["state"], kept["attempts"]) == ("queued", 0)  # an orderly end, not a kill after a timeout
    assert "Traceback" not in server.log.read_text()

    client = start_server().client()
    assert client.state(queued)["state"] == "queued"
    fake_engine.configure(fake_engine_home)
    for one in (job, queued):
        client.wait_for(one, "done")
    assert deeds_of(fake_engine_home, job) == ["starts", "starts", "ends"]


def test_interruptions_by_ctrl_c_use_up_no_attempts(fake_engine_home, start_server):
    server = start_server()
    job = running_job(server.client(), fake_engine_home)
    for _ in range(3):
        server.stop()
        server = start_server()
        server.client().wait_for(job, "running")
    fake_engine.configure(fake_engine_home)
    server.client().wait_for(job, "done")


def test_two_servers_over_one_folder_run_each_job_once(fake_engine_home, start_server):
    first, second = start_server(), start_server()
    wait_until(lambda: len(processes.find(fake_engine_home, "webapp.worker.main")) == 2)
    job = running_job(second.client(), fake_engine_home)
    assert deeds_of(fake_engine_home, job) == ["starts"]
    first.stop()
    fake_engine.configure(fake_engine_home)
    second.client().wait_for(job, "done")
    assert "overlaps" not in deeds_of(fake_engine_home, job)


# The worker and the separation


def test_a_killed_worker_is_restarted_and_runs_the_job_again(client, fake_engine_home, server):
    job = running_job(client, fake_engine_home)
    queued = queued_job(client)
    engine = processes.wait_for_one(fake_engine_home, job)
    os.kill(processes.wait_for_one(fake_engine_home, "webapp.worker.main"), signal.SIGKILL)
    assert client.state(job)["state"] == "running"
    processes.wait_until_ended(fake_engine_home, engine)
    fake_engine.configure(fake_engine_home)
    for one in (job, queued):
        client.wait_for(one, "done")
    assert deeds_of(fake_engine_home, job) == ["starts", "starts", "ends"]
    assert deeds_of(fake_engine_home, queued) == ["starts", "ends"]


def test_a_killed_separation_is_retried_once_and_then_fails(client, fake_engine_home):
    job = running_job(client, fake_engine_home)
    first = processes.wait_for_one(fake_engine_home, job)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: processes.find(fake_engine_home, job) not in ([], [first]))
    os.kill(processes.wait_for_one(fake_engine_home, job), signal.SIGKILL)
    state = client.wait_for(job, "failed")
    assert "The operating system stopped the separation" in state["error"]
    processes.wait_until_gone(fake_engine_home, job)
    assert len([what for what in deeds_of(fake_engine_home, job) if what != "starts"]) == 0
    fake_engine.configure(fake_engine_home)
    client.separate(job)
    client.wait_for(job, "done")


def test_a_killed_separation_leaves_no_partial_stems(home, start_server, song):
    """The real command is killed while it works; the retry leaves complete stems and nothing else."""
    client = start_server().client()
    job = client.uploaded_job(song(30.0))
    client.separate(job)
    wait_until(lambda: client.state(job)["percent"] > 0)
    for pid in processes.find(home, "openunmix_models"):
        os.kill(pid, signal.SIGKILL)
    client.wait_for(job, "done")
    written = sorted(path.name for path in (home / "downloads" / job).rglob("*.wav*"))  # pictures may be there too
    assert written == ["residual.wav", "vocals.wav"]


# Uploads


def test_an_aborted_upload_leaves_no_folder(client, fake_engine_home):
    body = LARGE_FORM
    for sent in (0, 10, len(body) // 2, len(body) - 1):
        with client.open_upload(len(body)) as connection:
            connection.sendall(body[:sent])
            if sent > Limits().first_upload_bytes:
                wait_for_folder(fake_engine_home)
    wait_until_no_folders(fake_engine_home)
    processes.wait_until_gone(fake_engine_home, "cgi-bin")


def test_a_reset_upload_leaves_no_folder(client, fake_engine_home, server):
    connection = client.open_upload(len(LARGE_FORM))
    connection.sendall(LARGE_FORM[:100_000])
    wait_for_folder(fake_engine_home)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until_no_folders(fake_engine_home)
    assert "Traceback" not in server.log.read_text()


def test_a_partial_upload_is_deleted_after_a_power_cut(fake_engine_home, start_server):
    server = start_server()
    with server.client().open_upload(len(LARGE_FORM)) as connection:
        connection.sendall(LARGE_FORM[:100_000])
        upload = processes.wait_for_one(fake_engine_home, "upload.py")
        wait_for_folder(fake_engine_home)
        server.process.kill()
        os.kill(upload, signal.SIGKILL)
    (folder,) = job_folders(fake_engine_home)
    long_ago = time.time() - 3600
    os.utime(fake_engine_home / "uploads" / folder, (long_ago, long_ago))
    start_server()
    wait_until_no_folders(fake_engine_home)


def test_cleanup_keeps_an_upload_in_progress(fake_engine_home, start_server):
    client = start_server().client()
    with client.open_upload(len(LARGE_FORM)) as connection:
        connection.sendall(LARGE_FORM[:100_000])
        folder = wait_for_folder(fake_engine_home)
        abandoned = fake_engine_home / "uploads" / ("0" * 32)
        abandoned.mkdir()
        for name in (folder, abandoned.name):
            os.utime(fake_engine_home / "uploads" / name, (0, 0))
        worker = processes.wait_for_one(fake_engine_home, "webapp.worker.main")
        os.kill(worker, signal.SIGKILL)  # the next one cleans up when it starts
        wait_until(lambda: job_folders(fake_engine_home) == {folder}, message="the new worker does not clean up")
        connection.sendall(LARGE_FORM[100_000:])
        assert b"303" in connection.recv(100)


@pytest.mark.skipif(sys.platform == "win32", reason="scripts read from a pipe, which ends with the server")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_uploads_end_with_the_server(fake_engine_home, start_server, end):
    server = start_server()
    with contextlib.ExitStack() as opened:
        uploads = [opened.enter_context(server.client().open_upload(len(LARGE_FORM))) for _ in range(3)]
        for connection in uploads:
            connection.sendall(LARGE_FORM[:100_000])
        wait_until(lambda: len(job_folders(fake_engine_home)) == 3)
        server.process.send_signal(end)
        server.process.wait(20)
        with contextlib.suppress(OSError):
            uploads[0].sendall(LARGE_FORM[100_000:])
        processes.wait_until_gone(fake_engine_home, "upload.py", seconds=10)
        assert not job_folders(fake_engine_home)


def wait_for_folder(home) -> str:
    """Wait for the folder of an upload that has begun."""
    return wait_until(lambda: job_folders(home), message="the upload does not begin").pop()


def wait_until_no_folders(home) -> None:
    wait_until(lambda: not job_folders(home), message="a folder stays behind")
