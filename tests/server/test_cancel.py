"""Cancelling a job keeps its file; deleting it, in every state, ends its processes and deletes all its files."""

import json
import os
import signal

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.project import add_engine
from tests.support.waiting import wait_until

CANCEL = "/cgi-bin/cancel.py"


def delete(client, home, job: str) -> None:
    assert client.post("/cgi-bin/delete.py", json_wanted=True, job=job).json()["state"] == "deleted"
    processes.wait_until_gone(home, job)
    left = [home / "uploads" / job, home / "downloads" / job]
    wait_until(lambda: not any(folder.exists() for folder in left), message=str(left))
    assert client.get_json(f"/cgi-bin/job.py?job={job}").status == 404


@pytest.fixture
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.mark.parametrize("says", ["fetching umx", "separating"])
def test_a_cancelled_job_is_as_after_its_upload(client, fake_engine_server, configure_engine, says):
    configure_engine(seconds=fake_engine.FOREVER, says=says)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    fake_engine.wait_until_started(fake_engine_server.home, job)
    assert client.post(CANCEL, json_wanted=True, job=job).json()["state"] == "uploaded"
    processes.wait_until_gone(fake_engine_server.home, job)
    assert (fake_engine_server.home / "uploads" / job / "song.wav").read_bytes() == wave_files.wav()
    assert client.get(f"/cgi-bin/job.py?job={job}").headers["Location"] == f"/cgi-bin/uploaded.py?job={job}"
    configure_engine()
    client.separate(job, model="umxhq")
    assert client.wait_for(job, "done")["model"] == "umxhq"


def test_a_job_that_is_cancelled_and_queued_again_at_once_runs_once_more(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    fake_engine.wait_until_started(fake_engine_server.home, job)
    client.post(CANCEL, job=job)
    client.separate(job, model="umxhq")
    wait_until(lambda: fake_engine.events(fake_engine_server.home).count((job, "starts")) == 2)
    configure_engine()
    assert client.wait_for(job, "done")["model"] == "umxhq"
    assert (job, "overlaps") not in fake_engine.events(fake_engine_server.home)


def test_cancel_takes_a_queued_job_out_of_the_queue(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    running, waiting, last = (client.uploaded_job(wave_files.wav()) for _ in range(3))
    for job in (running, waiting, last):
        client.separate(job)
    fake_engine.wait_until_started(fake_engine_server.home, running)
    reply = client.post(CANCEL, job=waiting)
    assert (reply.status, reply.headers["Location"]) == (303, f"/cgi-bin/job.py?job={waiting}")
    assert client.state(waiting)["state"] == "uploaded"
    assert client.state(last)["queue_position"] == 1
    for job in (running, last):
        client.post("/cgi-bin/delete.py", json_wanted=True, job=job)


@pytest.mark.parametrize("state", ["uploaded", "done", "failed"])
def test_cancel_leaves_a_job_that_is_not_pending_as_it_is(client, configure_engine, state):
    configure_engine(status=2 if state == "failed" else 0)
    job = client.uploaded_job(wave_files.wav())
    if state != "uploaded":
        client.separate(job)
        client.wait_for(job, state)
    assert client.post(CANCEL, json_wanted=True, job=job).json()["state"] == state


def test_a_separation_that_was_cancelled_while_no_worker_ran_is_ended(fake_engine_home, start_server):
    """The server and its worker are killed; the engine lives on."""
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    server = start_server()
    client = server.client()
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    fake_engine.wait_until_started(fake_engine_home, job)
    for pid in [processes.wait_for_one(fake_engine_home, "webapp.worker.main"), server.process.pid]:
        os.kill(pid, signal.SIGSTOP)
    os.kill(processes.wait_for_one(fake_engine_home, "webapp.worker.main"), signal.SIGKILL)
    server.kill()
    state = fake_engine_home / "uploads" / job / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "uploaded"}))
    assert processes.find(fake_engine_home, job)
    start_server()
    processes.wait_until_gone(fake_engine_home, job)
    assert state.exists()


@pytest.mark.parametrize("says", ["loading", "fetching umx", "separating", "writing"])
def test_delete_a_running_job(client, fake_engine_server, configure_engine, says):
    configure_engine(seconds=fake_engine.FOREVER, says=says)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    fake_engine.wait_until_started(fake_engine_server.home, job)
    delete(client, fake_engine_server.home, job)


@pytest.mark.parametrize("state", ["uploaded", "done", "failed"])
def test_delete_a_job_that_is_not_running(client, fake_engine_server, configure_engine, state):
    configure_engine(status=2 if state == "failed" else 0)
    job = client.uploaded_job(wave_files.wav())
    if state != "uploaded":
        client.separate(job)
        client.wait_for(job, state)
    delete(client, fake_engine_server.home, job)


def test_delete_a_queued_job(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    running, waiting = client.uploaded_job(wave_files.wav()), client.uploaded_job(wave_files.wav())
    for job in (running, waiting):
        client.separate(job)
    fake_engine.wait_until_started(fake_engine_server.home, running)
    delete(client, fake_engine_server.home, waiting)
    assert client.state(running)["state"] == "running"
    delete(client, fake_engine_server.home, running)


def test_an_engine_that_ignores_sigterm_is_killed_with_its_children(home, start_server):
    """The engine ignores SIGTERM and has started a child that does so too."""
    stubborn = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    child = stubborn + "time.sleep(1000)"
    (home / "stubborn.py").write_text(
        f"{stubborn}subprocess.Popen([sys.executable, '-c', {child!r}, sys.argv[1]]); time.sleep(1000)"
    )
    add_engine(home, "stubborn", ["{python}", "stubborn.py", "{source}"])
    client = start_server().client()
    job = client.uploaded_job(wave_files.wav())
    client.separate(job, "stubborn")
    wait_until(lambda: len(processes.find(home, job)) == 2)
    delete(client, home, job)


@pytest.mark.skipif(os.name == "nt", reason="there is no process that stays warm")
@pytest.mark.parametrize("percent", [0.0, 5.0, 50.0])
def test_delete_while_the_real_command_and_its_warm_process_run(shared_server, song, percent):
    """The warm process is not in the command's process group, but ends with it."""
    client, home = shared_server.client(), shared_server.home
    job = client.uploaded_job(song(240.0, name="long.wav"))
    client.separate(job)
    client.wait_for(job, "running")
    wait_until(
        lambda: processes.find(home, "openunmix_models.warm") and client.state(job)["percent"] >= percent, seconds=120
    )
    delete(client, home, job)
    processes.wait_until_gone(home, "openunmix_models.warm")
    assert not list((home / "downloads").iterdir())
