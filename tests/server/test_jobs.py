"""Jobs over HTTP: states, queue, deletion, expiry, errors, and isolation between visitors."""

import io
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile

from tests.support import fake_engine, processes, wave_files
from tests.support.project import job_folders
from tests.support.waiting import wait_until
from webapp import locks
from webapp.jobs.job import JOB_ID

KEYS = {"job", "state", "name", "seconds", "model", "queue_position", "percent", "seconds_left", "error", "stems"}


@pytest.fixture(scope="module")
def client(fake_engine_server):
    return fake_engine_server.client()


def send(client, name: str = "song.wav") -> str:
    return client.uploaded_job(wave_files.wav(), name)


# As JSON


def test_the_json_of_each_state(client, configure_engine):
    sent = client.upload(wave_files.wav(bytes(4 * 44100 * 3)), "My Song.wav", json_wanted=True)
    assert sent.status == 201
    assert sent.headers["Content-Type"] == "application/json"
    first = sent.json()
    assert JOB_ID.fullmatch(first["job"])
    assert (first["state"], first["name"], first["seconds"]) == ("uploaded", "My Song.wav", 3.0)

    configure_engine(seconds=fake_engine.FOREVER)
    queued = client.separate(first["job"])
    assert queued.status == 202
    assert queued.json()["state"] == "queued"
    assert queued.json()["queue_position"] == 1
    running = client.wait_for(first["job"], "running")
    assert running["queue_position"] == 0
    configure_engine(seconds=0.1)
    done = client.wait_for(first["job"], "done")
    assert (done["percent"], done["seconds_left"], done["model"], done["error"]) == (100.0, 0.0, "starter", "")
    assert done["stems"] == [
        {"name": name, "url": f"/downloads/{first['job']}/{name}.wav"} for name in ("vocals", "music")
    ]
    for state in (first, queued.json(), running, done):
        assert set(state) >= KEYS
        assert state["job"] == first["job"]
        assert state["stems"] == [] or state is done

    deleted = client.post("/cgi-bin/delete.py", json_wanted=True, job=first["job"])
    assert (deleted.status, deleted.json()) == (200, {"job": first["job"], "state": "deleted"})


def test_progress_rises_while_a_job_runs(client, configure_engine):
    configure_engine(seconds=60)
    job = send(client)
    client.separate(job)
    client.wait_for(job, "running")
    percents = []

    def has_risen() -> bool:
        percents.append(client.state(job)["percent"])
        return len(set(percents)) > 3

    wait_until(has_risen)
    configure_engine()
    client.wait_for(job, "done")
    assert percents == sorted(percents)
    assert max(percents) <= 100


def test_the_pages_of_each_state(client, configure_engine):
    """What each page says; pages of other states redirect to the right one."""
    configure_engine(seconds=fake_engine.FOREVER)
    first, second = send(client, "first.wav"), send(client, "second.wav")
    assert "Click SEPARATE for run" in page_of(client, first)
    assert "Or click BACK for return" in page_of(client, first)
    for job in (first, second):
        client.separate(job)
    client.wait_for(first, "running")
    assert "Separating" in page_of(client, first)
    assert "Waiting" in page_of(client, second)
    assert "It is the next one." in page_of(client, second)
    configure_engine(seconds=0.1, status=2)
    client.wait_for(first, "failed")
    assert "The file could not be separated" in page_of(client, first)
    client.wait_for(second, "failed")
    configure_engine(seconds=0.1)
    client.separate(second)
    client.wait_for(second, "done")
    page = page_of(client, second)
    for words in ("successfully separated", "Download vocal", "Download music", "Return to home page", "Home page"):
        assert words in page


def page_of(client, job: str) -> str:
    """The page to which all pages of a job redirect."""
    ends = set()
    for script in ("uploaded", "job", "download"):
        path = f"/cgi-bin/{script}.py?job={job}"
        for _ in range(3):
            reply = client.get(path)
            if reply.status == 200:
                break
            assert reply.status == 303
            path = reply.headers["Location"]
        ends.add(path)
    assert len(ends) == 1
    return reply.text


# Deleting


def test_back_deletes_the_upload(client, fake_engine_server):
    job = send(client)
    reply = client.post("/cgi-bin/delete.py", job=job)
    assert (reply.status, reply.headers["Location"]) == (303, f"/?deleted={job}")
    assert not (fake_engine_server.home / "uploads" / job).exists()
    assert client.get_json(f"/cgi-bin/job.py?job={job}").status == 404
    assert client.post("/cgi-bin/delete.py", job=job).status == 404
    assert client.separate(job).status == 404


def test_deleting_a_finished_job_deletes_its_stems(client, fake_engine_server):
    job = send(client)
    client.separate(job)
    stem = client.wait_for(job, "done")["stems"][0]["url"]
    assert client.get(stem).status == 200
    client.post("/cgi-bin/delete.py", json_wanted=True, job=job)
    assert client.get(stem).status == 404
    assert not (fake_engine_server.home / "downloads" / job).exists()


def test_deleting_a_running_job_ends_its_process_and_starts_the_next(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    job, waiting, other = (send(client) for _ in range(3))
    for one in (job, waiting, other):
        client.separate(one)
    client.wait_for(job, "running")
    engine = processes.wait_for_one(fake_engine_server.home, job)
    client.post("/cgi-bin/delete.py", json_wanted=True, job=waiting)
    assert client.state(other)["queue_position"] == 1
    client.post("/cgi-bin/delete.py", json_wanted=True, job=job)
    processes.wait_until_gone(fake_engine_server.home, job)
    assert engine not in processes.find(fake_engine_server.home)
    client.wait_for(other, "running")
    configure_engine(seconds=0.1)
    client.wait_for(other, "done")
    for one in (job, waiting):
        assert not (fake_engine_server.home / "uploads" / one).exists()
        assert not (fake_engine_server.home / "downloads" / one).exists()


def test_cancelling_twice_still_ends_the_process(client, fake_engine_server, configure_engine):
    """The second request arrives before the worker has seen the first."""
    configure_engine(seconds=fake_engine.FOREVER)
    job = send(client)
    client.separate(job)
    client.wait_for(job, "running")
    processes.wait_for_one(fake_engine_server.home, job)
    worker = processes.wait_for_one(fake_engine_server.home, "webapp.worker.main")
    changes = fake_engine_server.home / "uploads" / ".changes"
    with ExitStack() as stack:
        with locks.exclusive(changes):  # the worker must not hold it while it is stopped
            stack.enter_context(processes.paused(worker))
        for _ in range(2):
            client.post("/cgi-bin/delete.py", json_wanted=True, job=job)
    processes.wait_until_gone(fake_engine_server.home, job)
    wait_until_deleted(fake_engine_server.home, job)


def wait_until_drawn(home, job: str) -> None:
    wait_until((home / "downloads" / job / "music.spectrogram").exists, seconds=60)


def wait_until_deleted(home, job: str) -> None:
    wait_until(lambda: not ((home / "uploads" / job).exists() or (home / "downloads" / job).exists()))


# The queue


def test_jobs_run_one_at_a_time_in_queue_order(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    jobs = [send(client) for _ in range(4)]
    order = [jobs[2], jobs[0], jobs[3], jobs[1]]
    for job in order:
        client.separate(job)
    client.wait_for(order[0], "running")
    assert [client.state(job)["queue_position"] for job in order] == [0, 1, 2, 3]
    assert "Number 3 in the queue." in client.get(f"/cgi-bin/job.py?job={order[3]}").text
    configure_engine(seconds=0.1)
    for job in order:
        client.wait_for(job, "done")
    deeds = [deed for deed in fake_engine.events(fake_engine_server.home) if deed[0] in jobs]
    assert deeds == [(job, what) for job in order for what in ("starts", "ends")]


def test_two_workers_run_two_at_a_time(fake_engine_home, start_server):
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    client = start_server("--workers", "2").client()
    jobs = [send(client) for _ in range(3)]
    for job in jobs:
        client.separate(job)
    for job in jobs[:2]:
        client.wait_for(job, "running")
    assert client.state(jobs[2])["queue_position"] == 1
    for job in jobs[:2]:
        fake_engine.wait_until_started(fake_engine_home, job)
    fake_engine.configure(fake_engine_home)
    for job in jobs:
        client.wait_for(job, "done")
    assert [what for _, what in fake_engine.events(fake_engine_home)[:2]] == ["starts", "starts"]


def test_repeated_separate_requests_run_a_job_once(client, fake_engine_server, configure_engine):
    configure_engine(seconds=fake_engine.FOREVER)
    job = send(client)
    with ThreadPoolExecutor(4) as several:
        replies = list(several.map(lambda _: client.separate(job), range(8)))
    assert {reply.status for reply in replies} == {202}
    client.wait_for(job, "running")
    assert client.separate(job).json()["state"] == "running"
    configure_engine(seconds=0.1)
    client.wait_for(job, "done")
    assert client.separate(job).json()["state"] == "done"
    client.finished_job(wave_files.wav())  # whatever was queued before it has run by now
    assert [what for name, what in fake_engine.events(fake_engine_server.home) if name == job] == ["starts", "ends"]


def test_concurrent_uploads_and_separations_lose_nothing(client, fake_engine_server):
    def go(number: int) -> tuple[str, bytes]:
        content = wave_files.wav(bytes([number, 1]) * 3000)
        job = client.uploaded_job(content, f"{number}.wav")
        client.separate(job)
        return job, content

    with ThreadPoolExecutor(6) as several:
        jobs = list(several.map(go, range(12)))
    for number, (job, content) in enumerate(jobs):
        state = client.wait_for(job, "done")
        assert state["name"] == f"{number}.wav"
        assert client.get(state["stems"][0]["url"]).body == content
    numbers = [client.state(job)["queue_position"] for job, _ in jobs]
    assert numbers == [0] * 12


# Two visitors


def test_two_visitors_never_see_each_others_files(client, fake_engine_server):
    """They upload files of the same name at the same time."""
    contents = [wave_files.wav(b"\x01\x00" * 3000), wave_files.wav(b"\x02\x00" * 3000)]
    with ThreadPoolExecutor(2) as two:
        jobs = list(two.map(lambda content: client.uploaded_job(content, "same.wav"), contents))
        list(two.map(client.separate, jobs))
    assert jobs[0] != jobs[1]
    for job, other, content in zip(jobs, reversed(jobs), contents, strict=True):
        state = client.wait_for(job, "done")
        assert client.get(state["stems"][0]["url"]).body == content
        seen = page_of(client, job) + client.get_json(f"/cgi-bin/job.py?job={job}").text + client.get("/").text
        assert other not in seen
    for path in ("/uploads/", "/downloads/", f"/downloads/{jobs[0]}/", "/cgi-bin/job.py", "/cgi-bin/download.py"):
        reply = client.get(path)
        assert reply.status == 404
        assert not [job for job in jobs if job in reply.text]


def test_job_ids_are_random(client, fake_engine_server):
    jobs = [send(client) for _ in range(8)]
    bits = "".join(f"{int(job, 16):0128b}" for job in jobs)
    assert len(set(jobs)) == 8
    assert 0.4 < bits.count("1") / len(bits) < 0.6
    assert (fake_engine_server.home / "uploads" / jobs[0]).stat().st_mode & 0o077 == 0


# Expiry


def test_unused_jobs_expire_and_queued_or_running_ones_do_not(fake_engine_home, start_server):
    server = start_server("--keep-hours", "0.0003")  # about a second
    client = server.client()
    done = send(client)
    client.separate(done)
    client.wait_for(done, "done")
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    uploaded, running, queued = (send(client) for _ in range(3))
    for job in (running, queued):
        client.separate(job)
    client.wait_for(running, "running")
    orphan = fake_engine_home / "downloads" / ("0" * 32)
    orphan.mkdir()
    wait_until_drawn(fake_engine_home, done)  # drawing uses its files once more
    server.kill()  # the next one cleans up when it starts
    processes.wait_until_gone(fake_engine_home)
    long_ago = time.time() - 3600
    for path in (*fake_engine_home.glob("uploads/*/state.json"), *fake_engine_home.glob("downloads/*")):
        os.utime(path, (long_ago, long_ago))
    client = start_server("--keep-hours", "0.0003").client()
    for job in (done, uploaded, orphan.name):
        wait_until_deleted(fake_engine_home, job)
    assert job_folders(fake_engine_home) == {running, queued}
    fake_engine.configure(fake_engine_home)
    for job in (running, queued):
        client.wait_for(job, "done")


# Errors


def test_stems_that_were_deleted_by_hand_are_not_found(client, fake_engine_server):
    job = send(client)
    client.separate(job)
    stem = client.wait_for(job, "done")["stems"][0]["url"]
    shutil.rmtree(fake_engine_server.home / "downloads" / job)
    assert client.get(stem).status == 404


@pytest.mark.parametrize("state", ["", "{", "{}", "[]", "null", '{"id": 1}', "\0" * 100])
def test_a_damaged_state_file_does_not_block_other_jobs(client, fake_engine_server, state):
    damaged = send(client)
    (fake_engine_server.home / "uploads" / damaged / "state.json").write_text(state)
    job = send(client)
    client.separate(job)
    client.wait_for(job, "done")
    assert client.get(f"/cgi-bin/job.py?job={damaged}").status == 404
    shutil.rmtree(fake_engine_server.home / "uploads" / damaged)


@pytest.mark.parametrize(("status", "words"), [(1, "server's log"), (2, "cannot be separated"), (4, "no space left")])
def test_a_failed_separation_gives_its_reason_and_can_be_retried(
    client, fake_engine_server, configure_engine, status, words
):
    configure_engine(seconds=0.1, status=status)
    job = send(client)
    client.separate(job)
    state = client.wait_for(job, "failed")
    assert words in state["error"]
    assert state["stems"] == []
    assert words.replace("'", "&#x27;") in page_of(client, job)
    assert f"job {job[:8]}: the fake engine ends with {status}" in fake_engine_server.log.read_text()
    configure_engine(seconds=0.1)
    client.separate(job)
    assert client.wait_for(job, "done", "failed")["state"] == "done"


def test_the_starter_replaces_a_model_that_cannot_be_fetched(shared_server, song):
    """The real engine without a network: the published weights cannot be fetched.

    The model is named, because the server may have noticed by now that umx cannot be fetched.
    """
    client = shared_server.client()
    job = client.uploaded_job(song(0.5))
    assert client.post("/cgi-bin/separate.py", job=job, model="umx").status == 303
    state = client.wait_for(job, "done", "failed")
    assert state["state"] == "done"
    assert state["model"] == "starter"
    note = "The model umx could not be fetched, so the starter model was used instead."
    assert state["note"] == note
    assert note in page_of(client, job)


def test_samples_that_are_not_numbers_fail_the_job_with_a_reason(shared_server):
    client = shared_server.client()
    file = io.BytesIO()
    soundfile.write(file, np.full((5000, 2), np.nan), 44100, format="WAV", subtype="FLOAT")
    job = client.uploaded_job(file.getvalue())
    client.separate(job)
    state = client.wait_for(job, "done", "failed")
    assert state["state"] == "failed"
    assert re.search("its samples are not numbers", state["error"])


def test_the_log_holds_no_traceback(fake_engine_server, shared_server):
    """Last in this module: the logs of all tests above."""
    for server in (fake_engine_server, shared_server):
        log = server.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 200 :][:4000]
