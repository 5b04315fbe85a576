"""A clock that was set back or forward: nothing stays for ever, nothing waits in another order."""

import json
import os
import time

import pytest

from tests import double, waves
from webapp.jobs import Job
from webapp.queue import standing

YEAR = 365 * 24 * 3600


def test_what_is_dated_in_the_future_goes_when_its_time_is_up(quick_home, serve):
    server = serve("--keep-hours=0.0003")  # about a second
    client = server.client()
    done, uploaded = client.uploaded_job(waves.wave()), client.uploaded_job(waves.wave())
    client.separate(done)
    client.wait_for(done, "done")
    server.stop()
    for path in (*quick_home.glob("uploads/*/state.json"), quick_home / "downloads" / done):
        os.utime(path, (time.time() + YEAR, time.time() + YEAR))
    sweep = quick_home / "webapp" / "background" / "sweep.py"
    sweep.write_text(f"{sweep.read_text()}\nINTERVAL_SECONDS = 0.5\n")
    client = serve("--keep-hours=0.0003").client()
    deadline = time.monotonic() + 30
    while any(client.get_json(f"/cgi-bin/job.py?job={job}").status != 404 for job in (done, uploaded)):
        assert time.monotonic() < deadline, "it stays"
        time.sleep(0.1)


def test_the_sweep_leaves_what_was_used_in_a_past_that_is_not_over(quick_home, serve):
    server = serve()
    job = server.client().uploaded_job(waves.wave())
    server.stop()
    state = quick_home / "uploads" / job / "state.json"
    an_hour_ago = time.time() - 3600
    os.utime(state, (an_hour_ago, an_hour_ago))
    client = serve().client()
    time.sleep(1)
    assert client.state(job)["state"] == "uploaded"
    assert state.stat().st_mtime == pytest.approx(an_hour_ago)


def test_songs_wait_in_the_order_in_which_they_came(quick_home, serve):
    """Whatever time each is said to have been made and started at."""
    server = serve()
    double.order(quick_home, seconds=double.LONG)
    client = server.client()
    jobs = [client.uploaded_job(waves.wave()) for _ in range(3)]
    for job in jobs:
        client.separate(job)
    server.kill()
    for number, job in enumerate(jobs):
        path = quick_home / "uploads" / job / "state.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": time.time() - number * YEAR}))
    double.order(quick_home)
    client = serve().client()
    for job in jobs:
        client.wait_for(job, "done")
    assert [job for job, deed in double.deeds(quick_home) if deed == "ends"] == jobs


@pytest.mark.parametrize("since", [-YEAR, 1])
def test_no_time_is_told_that_the_clock_cannot_know(tmp_path, since):
    about = {"id": "0" * 32, "name": "a", "seconds": 10.0}
    log = tmp_path / "log.txt"
    log.write_text("\rseparating:  50%|")

    class Logged(Job):
        log = tmp_path / "log.txt"

    now = standing(Logged(state="running", **about, started=time.time() - since))
    assert now.elapsed >= 0
    assert now.seconds_left is None if since < 0 else now.seconds_left > 0
