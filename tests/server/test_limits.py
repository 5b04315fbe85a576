"""Each limit is an option, is enforced, and gives a sentence and an HTTP status."""

import contextlib
import select
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.client import read_reply
from tests.support.forms import upload_form
from tests.support.waiting import wait_until

SECOND = wave_files.wav(b"\x05\x00\x05\x00" * 44100)  # stereo, 16 bit
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def limited(fake_engine_home, start_server):
    """A client of a server with options."""
    return lambda *options: start_server(*options).client()


def send(client, cookie: str = "", content: bytes = SECOND):
    return client.upload(content, json_wanted=True, headers={"Cookie": cookie})


def cookie_of(reply) -> str:
    return reply.headers["Set-Cookie"].split(";")[0]


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(limited):
    client = limited("--max-upload-gb=0.0002")
    assert send(client, content=SECOND).status == 201
    refused = send(client, content=SECOND * 2)
    assert refused.status == 413
    assert refused.json()["error"] == "This file is too large: at most 0.0002 GB can be uploaded."
    assert "0.0002 GB" in client.get("/").text


def test_a_song_that_is_too_long_is_refused(limited, fake_engine_home):
    client = limited(f"--max-song-hours={1.5 / 3600}")
    assert send(client).status == 201
    refused = send(client, content=wave_files.wav(b"\x05\x00\x05\x00" * 2 * 44100))
    assert refused.status == 413
    assert refused.json()["error"].startswith("This song is too long: at most 0.00041")
    assert len([path for path in (fake_engine_home / "uploads").iterdir() if path.is_dir()]) == 1


def test_waiting_songs_are_limited_per_visitor(limited):
    client = limited("--max-songs=2")
    first = send(client)
    cookie = cookie_of(first)
    assert send(client, cookie).status == 201
    refused = send(client, cookie)
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "60"
    assert refused.json()["error"].startswith("You already have 2 songs here that are not separated yet.")
    assert send(client).status == 201  # from another browser
    job = first.json()["job"]
    again = client.request("POST", "/cgi-bin/again.py", f"job={job}", {"Cookie": cookie, **FORM})
    assert again.status == 429
    client.separate(job)
    client.wait_for(job, "done")
    assert send(client, cookie).status == 201


def test_a_deleted_song_is_not_restored_beyond_the_limit(limited):
    client = limited("--max-songs=2")
    cookie = cookie_of(send(client))
    first = send(client, cookie).json()["job"]
    client.post("/cgi-bin/delete.py", job=first)
    second = send(client, cookie).json()["job"]
    assert client.post("/cgi-bin/restore.py", job=first).status == 429
    client.post("/cgi-bin/delete.py", job=second)
    assert client.post("/cgi-bin/restore.py", job=first).status == 303


def test_concurrent_uploads_do_not_exceed_the_limit(limited):
    client = limited("--max-songs=3")
    cookie = cookie_of(send(client))
    statuses = []
    senders = [threading.Thread(target=lambda: statuses.append(send(client, cookie).status)) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(statuses) == [201] * 2 + [429] * 6


def test_uploads_beyond_the_disk_share_are_refused(limited):
    client = limited("--max-disk-percent=0.0000001")
    refused = send(client)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"].startswith("The songs on this machine take all the disk space")


def _share(home: Path, nb_bytes: int) -> str:
    """The option that lets all songs of a server in `home` take `nb_bytes`."""
    return f"--max-disk-percent={100 * nb_bytes / shutil.disk_usage(home).total}"


def test_uploads_at_the_same_time_do_not_exceed_the_disk_share(limited, fake_engine_home):
    client = limited(_share(fake_engine_home, 5_000_000))
    body = upload_form(wave_files.wav(bytes(2_000_000)))
    with contextlib.ExitStack() as opened:
        uploads = [opened.enter_context(client.open_upload(len(body))) for _ in range(6)]
        for connection in uploads:
            connection.sendall(body[:100_000])
        ended = wait_until(lambda: len(ended := select.select(uploads, [], [], 0)[0]) >= 4 and ended)
        assert {read_reply(connection).status for connection in ended} == {503}
        for connection in set(uploads) - set(ended):
            connection.sendall(body[100_000:])
            assert read_reply(connection).status == 303
    assert len(ended) == 4


def test_separations_queued_at_the_same_time_do_not_exceed_the_disk_share(limited, fake_engine_home):
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    song = wave_files.wav(bytes(1_000_000))
    client = limited(_share(fake_engine_home, 4 * len(song) + 2 * len(song) + 100_000))
    jobs = [client.uploaded_job(song) for _ in range(4)]
    with ThreadPoolExecutor(4) as visitors:
        statuses = list(visitors.map(lambda job: client.separate(job).status, jobs))
    assert sorted(statuses) == [202, 503, 503, 503]


def test_separations_without_disk_space_are_refused(fake_engine_home, start_server):
    server = start_server()
    job = server.client().uploaded_job(SECOND)
    server.stop()
    client = start_server("--max-disk-percent=0.0000001").client()
    assert client.separate(job).status == 503
    assert client.state(job)["state"] == "uploaded"


def test_an_engine_over_its_time_limit_is_ended(limited, fake_engine_home):
    client = limited(f"--max-job-hours={1 / 3600}")
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    job = client.uploaded_job(SECOND)
    client.separate(job)
    failed = client.wait_for(job, "failed")
    assert failed["error"] == "The separation was stopped because it exceeded the time limit."
    processes.wait_until_gone(fake_engine_home, job)
    fake_engine.configure(fake_engine_home)
    client.separate(job)
    client.wait_for(job, "done")
