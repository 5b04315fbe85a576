"""What open pages ask every second costs little, and is still the truth."""

import socket
import subprocess
import sys
import threading

import pytest

from tests.conftest import PROJECT
from webapp import admission, catalogue, jobs
from webapp.catalogue import Catalogue
from webapp.forecast import Forecast
from webapp.jobs import Job
from webapp.serving.head import HeadReader

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n"


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """A folder of uploads of this test's own."""
    monkeypatch.setattr(jobs, "DOWNLOADS", tmp_path / "downloads")
    for module in (jobs, catalogue, admission):
        monkeypatch.setattr(module, "UPLOADS", tmp_path)
        monkeypatch.setattr(module, "CHANGES", tmp_path / ".changes")
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """The jobs whose state was read from the disk so far."""
    read, load = [], jobs.load
    monkeypatch.setattr(jobs, "load", lambda job_id: read.append(job_id) or load(job_id))
    return read


def admitted(number: int) -> Job:
    folder = jobs.UPLOADS / f"{number:032x}"
    folder.mkdir()
    return admission.admit(folder, name=f"{number}.wav", seconds=1.0, cut_off=False)


def test_a_state_is_read_once_and_again_only_when_it_changes(uploads, reads):
    ids = {admitted(number).id for number in range(5)}
    known = Catalogue()
    for _ in range(10):
        assert {job.id for job in known.everyone()} == ids
    assert sorted(reads) == sorted(ids)
    with jobs.changing(min(ids)) as job:
        job.state = "queued"
    del reads[:]
    assert sorted(job.state for job in known.everyone()) == ["queued"] + 4 * ["uploaded"]
    assert reads == [min(ids)]


def test_every_change_is_seen_at_once_however_quickly_they_come(uploads):
    job_id, known = admitted(1).id, Catalogue()
    for number in range(100):
        with jobs.changing(job_id) as job:
            job.attempts = number
        assert [job.attempts for job in known.everyone()] == [number]


def test_what_another_process_changes_is_seen(uploads):
    job_id, known = admitted(1).id, Catalogue()
    assert [job.name for job in known.everyone()] == ["1.wav"]
    change = """
import sys, pathlib
from webapp import jobs
jobs.UPLOADS = pathlib.Path(sys.argv[1])
jobs.CHANGES = jobs.UPLOADS / ".changes"
with jobs.changing(sys.argv[2]) as job:
    job.name = "another.wav"
"""
    subprocess.run([sys.executable, "-c", change, str(uploads), job_id], cwd=PROJECT, check=True)
    assert [job.name for job in known.everyone()] == ["another.wav"]
    jobs.delete(job_id)
    assert known.everyone() == ()


def test_a_change_whose_writer_was_killed_before_it_could_tell_is_seen_later(uploads, monkeypatch):
    job, known = admitted(1), Catalogue()
    known.everyone()
    job.state = "queued"
    jobs.save(job)
    monkeypatch.setattr(catalogue, "RESCAN_SECONDS", 0.0)
    assert [job.state for job in known.everyone()] == ["queued"]


def test_open_pages_start_no_script(quick_home, serve):
    client = serve().client()
    for script in ("job", "songs"):
        (quick_home / "cgi-bin" / f"{script}.py").write_text("raise SystemExit")
        assert client.get(f"/cgi-bin/{script}.py").status == 500
    assert client.get_json(f"/cgi-bin/job.py?job={'0' * 32}").status == 404
    assert client.get_json("/cgi-bin/songs.py").json() == {"songs": []}


def test_a_state_that_cannot_be_told_leaves_the_server_well(quick_home, serve):
    views = quick_home / "webapp" / "html" / "views.py"
    views.write_text(views.read_text() + "\ndef progress_sentence(job, standing): raise RuntimeError('a secret')\n")
    server = serve()
    job = quick_job(server, quick_home)
    reply = server.client().get_json(f"/cgi-bin/job.py?job={job}")
    assert reply.status == 500
    assert "secret" not in reply.text
    assert "a secret" in server.log.read_text()
    assert server.client().get("/").status == 200


def quick_job(server, home) -> str:
    """A job that nobody sent."""
    folder = home / "uploads" / ("0" * 32)
    folder.mkdir()
    (folder / "state.json").write_text(f'{{"id": "{folder.name}", "state": "uploaded", "name": "x", "seconds": 1.0}}')
    return folder.name


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_is_read_to_its_end_and_no_further_however_it_comes(cut):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(HEAD[:cut])
        later = threading.Timer(0.005, theirs.sendall, (HEAD[cut:] + b"\r\n\nthe body",))
        later.start()
        reader = HeadReader(ours)
        lines = list(iter(reader.readline, b"\r\n"))
        later.join()
        assert b"".join(lines) + b"\r\n" == HEAD
        assert ours.recv(100) == b"\r\n\nthe body"


def test_lines_come_no_longer_than_asked_for_and_end_with_the_stream():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(b"0123456789\nabc")
        theirs.close()
        reader = HeadReader(ours)
        assert [reader.readline(4), reader.readline(100), reader.readline(100)] == [b"0123", b"456789\n", b"abc"]
        assert reader.readline(100) == b""


def song(number: int, state: str, **fields) -> Job:
    return Job(id=f"{number:032x}", state=state, name="x", seconds=100.0, queue_number=number, **fields)


def test_waiting_jobs_are_done_one_after_the_other_at_the_pace_of_earlier_ones():
    done = [song(0, "done", started=1000.0, finished=1000.0 + seconds) for seconds in (40, 50, 60)]
    running, first, second = song(1, "running"), song(2, "queued"), song(3, "queued")
    forecast = Forecast((second, *done, running, first))
    assert [forecast.position(first), forecast.position(second)] == [1, 2]
    assert forecast.seconds_until_done(first, [10.0]) == pytest.approx(60)
    assert forecast.seconds_until_done(second, [10.0]) == pytest.approx(110)
    assert forecast.seconds_until_done(second, [10.0, 20.0]) == pytest.approx(70)
    assert forecast.seconds_until_done(first, [None]) is None
    assert Forecast(done).seconds_until_done(first, []) == pytest.approx(50)  # a moment ago it still waited
    assert Forecast((first,)).seconds_until_done(first, []) is None
