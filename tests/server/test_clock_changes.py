"""A system clock that was set back or forward changes neither expiry nor queue order."""

import json
import os
import time

import pytest

from tests.support import fake_engine, wave_files
from tests.support.waiting import wait_until

YEAR = 365 * 24 * 3600


def test_jobs_dated_in_the_future_expire_too(fake_engine_home, start_server):
    server = start_server("--keep-hours=0.0003")  # about a second
    client = server.client()
    done, uploaded = client.uploaded_job(wave_files.wav()), client.uploaded_job(wave_files.wav())
    client.separate(done)
    client.wait_for(done, "done")
    server.stop()
    for path in (*fake_engine_home.glob("uploads/*/state.json"), fake_engine_home / "downloads" / done):
        os.utime(path, (time.time() + YEAR, time.time() + YEAR))
    client = start_server("--keep-hours=0.0003", cleanup_seconds=0.5).client()
    for job in (done, uploaded):
        wait_until(lambda job=job: client.get_json(f"/cgi-bin/job.py?job={job}").status == 404)


def test_cleanup_keeps_jobs_used_within_the_keep_hours(fake_engine_home, start_server):
    server = start_server()
    job = server.client().uploaded_job(wave_files.wav())
    server.stop()
    state = fake_engine_home / "uploads" / job / "state.json"
    an_hour_ago = time.time() - 3600
    os.utime(state, (an_hour_ago, an_hour_ago))
    orphan = fake_engine_home / "downloads" / ("0" * 32)
    orphan.mkdir()
    client = start_server().client()
    wait_until(lambda: not orphan.exists(), message="the server does not clean up")
    assert client.state(job)["state"] == "uploaded"
    assert state.stat().st_mtime == pytest.approx(an_hour_ago)


def test_the_queue_order_does_not_depend_on_the_clock(fake_engine_home, start_server):
    """The stored creation times are in the reverse order."""
    server = start_server()
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    client = server.client()
    jobs = [client.uploaded_job(wave_files.wav()) for _ in range(3)]
    for job in jobs:
        client.separate(job)
    fake_engine.wait_until_started(fake_engine_home, jobs[0])
    server.kill()
    for number, job in enumerate(jobs):
        path = fake_engine_home / "uploads" / job / "state.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": time.time() - number * YEAR}))
    client = start_server().client()
    # The killed server's engine has been ended when its job starts again.
    wait_until(lambda: fake_engine.events(fake_engine_home).count((jobs[0], "starts")) == 2)
    fake_engine.configure(fake_engine_home)
    for job in jobs:
        client.wait_for(job, "done")
    assert [job for job, deed in fake_engine.events(fake_engine_home) if deed == "ends"] == jobs
