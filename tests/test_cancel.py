"""Cancel, whatever the job is doing: its processes end at once, and nothing of it stays."""

import os
import time

import pytest

from tests import double, processes, waves

# Two seconds are promised; a busy machine, which looks for processes in /proc meanwhile, gets some more.
SECONDS = 8


def cancel(client, home, job: str) -> None:
    begin = time.monotonic()
    assert client.post("/cgi-bin/delete.py", json_wanted=True, job=job).json()["state"] == "deleted"
    processes.wait_until_gone(home, job, SECONDS)
    left = [home / "uploads" / job, home / "downloads" / job]
    while any(folder.exists() for folder in left):
        assert time.monotonic() < begin + SECONDS, left
        time.sleep(0.02)
    assert client.get_json(f"/cgi-bin/job.py?job={job}").status == 404


@pytest.fixture
def client(quick_server):
    return quick_server.client()


@pytest.mark.parametrize("says", ["loading", "fetching umx", "separating", "writing"])
def test_while_it_runs(client, quick_server, orders, says):
    orders(seconds=double.LONG, says=says)
    job = client.uploaded_job(waves.wave())
    client.separate(job)
    double.wait_until_started(quick_server.home, job)
    cancel(client, quick_server.home, job)


@pytest.mark.parametrize("state", ["uploaded", "done", "failed"])
def test_while_nothing_runs(client, quick_server, orders, state):
    orders(status=2 if state == "failed" else 0)
    job = client.uploaded_job(waves.wave())
    if state != "uploaded":
        client.separate(job)
        client.wait_for(job, state)
    cancel(client, quick_server.home, job)


def test_while_it_waits(client, quick_server, orders):
    orders(seconds=double.LONG)
    running, waiting = client.uploaded_job(waves.wave()), client.uploaded_job(waves.wave())
    for job in (running, waiting):
        client.separate(job)
    double.wait_until_started(quick_server.home, running)
    cancel(client, quick_server.home, waiting)
    assert client.state(running)["state"] == "running"
    cancel(client, quick_server.home, running)


def test_a_command_and_its_children_that_will_not_end_are_ended(home, serve):
    """Of an engine that takes no notice of being told to end, and has started another process."""
    stubborn = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    child = stubborn + "time.sleep(1000)"
    (home / "stubborn.py").write_text(
        f"{stubborn}subprocess.Popen([sys.executable, '-c', {child!r}, sys.argv[1]]); time.sleep(1000)"
    )
    table = home / "webapp" / "engines.toml"
    table.write_text(table.read_text().replace('"-m", "openunmix_models", "{source}"', '"stubborn.py", "{source}"'))
    client = serve().client()
    job = client.uploaded_job(waves.wave())
    client.separate(job)
    deadline = time.monotonic() + 30
    while len(processes.of(home, job)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cancel(client, home, job)


@pytest.mark.skipif(os.name == "nt", reason="there is no process that stays warm")
@pytest.mark.parametrize("percent", [0.0, 5.0, 50.0])
def test_the_real_command_with_the_process_that_stays_warm(shared_server, song, percent):
    """The process that does the work is not in the group of the command; it ends with it all the same."""
    client, home = shared_server.client(), shared_server.home
    job = client.uploaded_job(song(240.0, name="long.wav"))
    client.separate(job)
    client.wait_for(job, "running")
    deadline = time.monotonic() + 120
    while not processes.of(home, "openunmix_models.warm") or client.state(job)["percent"] < percent:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cancel(client, home, job)
    processes.wait_until_gone(home, "openunmix_models.warm", SECONDS)
    assert not list((home / "downloads").iterdir())
