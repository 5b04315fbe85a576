"""Jobs: their states, their queue, their end; and that nobody meets another's."""

import io
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile

from tests import double, processes, waves
from tests.test_bad_input import job_folders
from webapp import locks
from webapp.jobs import ID

KEYS = {"job", "state", "name", "seconds", "model", "queue_position", "percent", "seconds_left", "error", "stems"}


@pytest.fixture(scope="module")
def client(quick_server):
    return quick_server.client()


def send(client, name: str = "song.wav") -> str:
    return client.uploaded_job(waves.wave(), name)


# By program


def test_the_json_of_each_step(client, orders):
    sent = client.upload(waves.wave(bytes(4 * 44100 * 3)), "My Song.wav", json_wanted=True)
    assert sent.status == 201
    assert sent.headers["Content-Type"] == "application/json"
    first = sent.json()
    assert ID.fullmatch(first["job"])
    assert (first["state"], first["name"], first["seconds"]) == ("uploaded", "My Song.wav", 3.0)

    orders(seconds=double.LONG)
    queued = client.separate(first["job"])
    assert queued.status == 202
    assert queued.json()["state"] == "queued"
    assert queued.json()["queue_position"] == 1
    running = client.wait_for(first["job"], "running")
    assert running["queue_position"] == 0
    orders(seconds=0.1)
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


def test_progress_is_told_while_it_runs(client, orders):
    orders(seconds=4)
    job = send(client)
    client.separate(job)
    told = []
    while (state := client.state(job))["state"] != "done":
        told.append(state["percent"])
        if state["percent"] >= 50:  # before that, the time that the process took to start weighs too much
            assert 0 <= state["seconds_left"] < 20
        time.sleep(0.1)
    assert told == sorted(told)
    assert len(set(told)) > 3
    assert max(told) <= 100


def test_the_pages_of_each_state(client, orders):
    """What each page says, and that the pages of other states lead to the right one."""
    orders(seconds=double.LONG)
    first, second = send(client, "first.wav"), send(client, "second.wav")
    assert "Click SEPARATE for run" in page_of(client, first)
    assert "Or click BACK for return" in page_of(client, first)
    for job in (first, second):
        client.separate(job)
    client.wait_for(first, "running")
    assert "Separating" in page_of(client, first)
    assert "Waiting" in page_of(client, second)
    assert "It is the next one." in page_of(client, second)
    orders(seconds=0.1, status=2)
    client.wait_for(first, "failed")
    assert "The file could not be separated" in page_of(client, first)
    client.wait_for(second, "failed")
    orders(seconds=0.1)
    client.separate(second)
    client.wait_for(second, "done")
    page = page_of(client, second)
    for words in ("successfully separated", "Download vocal", "Download music", "Return to home page", "Home page"):
        assert words in page


def page_of(client, job: str) -> str:
    """The page on which all the pages of a job end."""
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


def test_back_deletes_the_upload(client, quick_server):
    job = send(client)
    reply = client.post("/cgi-bin/delete.py", job=job)
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert not (quick_server.home / "uploads" / job).exists()
    assert client.get_json(f"/cgi-bin/job.py?job={job}").status == 404
    assert client.post("/cgi-bin/delete.py", job=job).status == 404
    assert client.separate(job).status == 404


def test_a_finished_job_goes_with_its_stems(client, quick_server):
    job = send(client)
    client.separate(job)
    stem = client.wait_for(job, "done")["stems"][0]["url"]
    assert client.get(stem).status == 200
    client.post("/cgi-bin/delete.py", job=job)
    assert client.get(stem).status == 404
    assert not (quick_server.home / "downloads" / job).exists()


def test_deleting_a_running_job_ends_the_process_and_lets_the_next_one_run(client, quick_server, orders):
    orders(seconds=double.LONG)
    job, waiting, other = (send(client) for _ in range(3))
    for one in (job, waiting, other):
        client.separate(one)
    client.wait_for(job, "running")
    engine = processes.one(quick_server.home, job)
    client.post("/cgi-bin/delete.py", job=waiting)
    assert client.state(other)["queue_position"] == 1
    client.post("/cgi-bin/delete.py", job=job)
    processes.wait_until_gone(quick_server.home, job)
    assert engine not in processes.of(quick_server.home)
    client.wait_for(other, "running")
    orders(seconds=0.1)
    client.wait_for(other, "done")
    for one in (job, waiting):
        assert not (quick_server.home / "uploads" / one).exists()
        assert not (quick_server.home / "downloads" / one).exists()


def test_cancelling_twice_still_ends_the_process(client, quick_server, orders):
    """A second click that comes before the worker has seen the first."""
    orders(seconds=double.LONG)
    job = send(client)
    client.separate(job)
    client.wait_for(job, "running")
    processes.one(quick_server.home, job)
    worker = processes.one(quick_server.home, "webapp.background.worker")
    changes = quick_server.home / "uploads" / ".changes"
    with ExitStack() as stack:
        with locks.exclusive(changes):  # which the worker must not hold while it stands still
            stack.enter_context(processes.stopped(worker))
        for _ in range(2):
            client.post("/cgi-bin/delete.py", job=job)
    processes.wait_until_gone(quick_server.home, job)
    wait_until_deleted(quick_server.home, job)


def wait_until_drawn(home, job: str) -> None:
    deadline = time.monotonic() + 60
    while not (home / "downloads" / job / "music.spectrogram").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_deleted(home, job: str) -> None:
    deadline = time.monotonic() + 10
    while (home / "uploads" / job).exists() or (home / "downloads" / job).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# The queue


def test_jobs_run_one_at_a_time_in_the_order_of_their_separate(client, quick_server, orders):
    orders(seconds=double.LONG)
    jobs = [send(client) for _ in range(4)]
    order = [jobs[2], jobs[0], jobs[3], jobs[1]]
    for job in order:
        client.separate(job)
    client.wait_for(order[0], "running")
    assert [client.state(job)["queue_position"] for job in order] == [0, 1, 2, 3]
    assert "Number 3 in the queue." in client.get(f"/cgi-bin/job.py?job={order[3]}").text
    orders(seconds=0.1)
    for job in order:
        client.wait_for(job, "done")
    deeds = [deed for deed in double.deeds(quick_server.home) if deed[0] in jobs]
    assert deeds == [(job, what) for job in order for what in ("starts", "ends")]


def test_two_workers_run_two_at_a_time(quick_home, serve):
    double.order(quick_home, seconds=double.LONG)
    client = serve("--workers", "2").client()
    jobs = [send(client) for _ in range(3)]
    for job in jobs:
        client.separate(job)
    for job in jobs[:2]:
        client.wait_for(job, "running")
    assert client.state(jobs[2])["queue_position"] == 1
    for job in jobs[:2]:
        double.wait_until_started(quick_home, job)
    double.order(quick_home)
    for job in jobs:
        client.wait_for(job, "done")
    assert [what for _, what in double.deeds(quick_home)[:2]] == ["starts", "starts"]


def test_separate_may_be_pressed_again_and_again(client, quick_server, orders):
    orders(seconds=double.LONG)
    job = send(client)
    with ThreadPoolExecutor(4) as several:
        replies = list(several.map(lambda _: client.separate(job), range(8)))
    assert {reply.status for reply in replies} == {202}
    client.wait_for(job, "running")
    assert client.separate(job).json()["state"] == "running"
    orders(seconds=0.1)
    client.wait_for(job, "done")
    assert client.separate(job).json()["state"] == "done"
    time.sleep(0.3)
    assert [what for name, what in double.deeds(quick_server.home) if name == job] == ["starts", "ends"]


def test_many_at_once_lose_nothing(client, quick_server):
    def go(number: int) -> tuple[str, bytes]:
        content = waves.wave(bytes([number, 1]) * 3000)
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


# Two people


def test_two_people_never_see_each_others_files(client, quick_server):
    """The same name, at the same time; who has one job learns nothing of the other."""
    contents = [waves.wave(b"\x01\x00" * 3000), waves.wave(b"\x02\x00" * 3000)]
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


def test_the_names_of_jobs_cannot_be_guessed(client, quick_server):
    jobs = [send(client) for _ in range(8)]
    bits = "".join(f"{int(job, 16):0128b}" for job in jobs)
    assert len(set(jobs)) == 8
    assert 0.4 < bits.count("1") / len(bits) < 0.6
    assert (quick_server.home / "uploads" / jobs[0]).stat().st_mode & 0o077 == 0


# Time


def test_time_takes_what_is_not_used_and_nothing_that_waits_or_runs(quick_home, serve):
    server = serve("--keep-hours", "0.0003")  # about a second
    client = server.client()
    done = send(client)
    client.separate(done)
    client.wait_for(done, "done")
    double.order(quick_home, seconds=double.LONG)
    uploaded, running, queued = (send(client) for _ in range(3))
    for job in (running, queued):
        client.separate(job)
    client.wait_for(running, "running")
    orphan = quick_home / "downloads" / ("0" * 32)
    orphan.mkdir()
    wait_until_drawn(quick_home, done)  # else its files are used again
    time.sleep(1.2)
    server.kill()  # the next one sweeps when it starts
    processes.wait_until_gone(quick_home)
    client = serve("--keep-hours", "0.0003").client()
    for job in (done, uploaded, orphan.name):
        wait_until_deleted(quick_home, job)
    assert job_folders(quick_home) == {running, queued}
    double.order(quick_home)
    for job in (running, queued):
        client.wait_for(job, "done")


# What goes wrong


def test_stems_that_were_deleted_by_hand_are_not_found(client, quick_server):
    job = send(client)
    client.separate(job)
    stem = client.wait_for(job, "done")["stems"][0]["url"]
    shutil.rmtree(quick_server.home / "downloads" / job)
    assert client.get(stem).status == 404


@pytest.mark.parametrize("state", ["", "{", "{}", "[]", "null", '{"id": 1}', "\0" * 100])
def test_a_damaged_state_stops_nobody_else(client, quick_server, state):
    damaged = send(client)
    (quick_server.home / "uploads" / damaged / "state.json").write_text(state)
    job = send(client)
    client.separate(job)
    client.wait_for(job, "done")
    assert client.get(f"/cgi-bin/job.py?job={damaged}").status == 404
    shutil.rmtree(quick_server.home / "uploads" / damaged)


@pytest.mark.parametrize(
    ("status", "words"), [(1, "the server's log"), (2, "cannot be separated"), (4, "no room left")]
)
def test_a_failed_separation_says_why_and_may_be_tried_again(client, quick_server, orders, status, words):
    orders(seconds=0.1, status=status)
    job = send(client)
    client.separate(job)
    state = client.wait_for(job, "failed")
    assert words in state["error"]
    assert state["stems"] == []
    assert words.replace("'", "&#x27;") in page_of(client, job)
    assert f"job {job[:8]}: the double ends with {status}" in quick_server.log.read_text()
    orders(seconds=0.1)
    client.separate(job)
    assert client.wait_for(job, "done", "failed")["state"] == "done"


def test_a_model_that_cannot_be_had_gives_way_to_the_starter_and_the_page_says_so(shared_server, song):
    """The real command, behind a proxy that refuses: the published weights are not to be had."""
    client = shared_server.client()
    job = client.uploaded_job(song(0.5))
    assert client.post("/cgi-bin/separate.py", job=job).status == 303
    state = client.wait_for(job, "done", "failed")
    assert state["state"] == "done"
    assert state["model"] == "starter"
    note = "The model umx could not be fetched, so the starter model was used instead."
    assert state["note"] == note
    assert note in page_of(client, job)


def test_the_real_command_says_what_cannot_be_separated(shared_server):
    client = shared_server.client()
    file = io.BytesIO()
    soundfile.write(file, np.full((5000, 2), np.nan), 44100, format="WAV", subtype="FLOAT")
    job = client.uploaded_job(file.getvalue())
    client.separate(job)
    state = client.wait_for(job, "done", "failed")
    assert state["state"] == "failed"
    assert re.search("a sample in it is not a number", state["error"])


def test_the_log_holds_no_traceback(quick_server, shared_server):
    """Last in this module: what all the above left in the servers' logs."""
    for server in (quick_server, shared_server):
        log = server.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 200 :][:4000]
