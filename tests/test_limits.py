"""What is limited: each limit holds, is an option, and is told in a sentence with the status that fits."""

import threading
from email.message import Message
from http import HTTPStatus

import pytest

from tests import double, processes, waves
from tests.client import BOUNDARY, multipart
from webapp import limits, visitors
from webapp.limits import Limits
from webapp.refusal import Refusal
from webapp.serving import guard

SECOND = waves.wave(b"\x05\x00\x05\x00" * 44100)  # stereo, 16 bit
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def limited(quick_home, serve):
    """A client of a server with options."""
    return lambda *options: serve(*options).client()


def send(client, cookie: str = "", content: bytes = SECOND):
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "application/json"}
    return client.request("POST", "/cgi-bin/upload.py", multipart(content, "song.wav"), headers | {"Cookie": cookie})


def cookie_of(reply) -> str:
    return reply.headers["Set-Cookie"].split(";")[0]


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(limited):
    client = limited("--max-upload-gb=0.0002")
    assert send(client, content=SECOND).status == 201
    refused = send(client, content=SECOND * 2)
    assert refused.status == 413
    assert refused.json()["error"] == "This file is too large: at most 0.0002 GB can be sent."
    assert "0.0002 GB" in client.get("/").text


def test_a_song_that_is_too_long_is_refused(limited, quick_home):
    client = limited(f"--max-song-hours={1.5 / 3600}")
    assert send(client).status == 201
    refused = send(client, content=waves.wave(b"\x05\x00\x05\x00" * 2 * 44100))
    assert refused.status == 413
    assert refused.json()["error"].startswith("This song is too long: at most 0.00041")
    assert len([path for path in (quick_home / "uploads").iterdir() if path.is_dir()]) == 1


def test_a_visitor_with_too_many_songs_waits_and_others_do_not(limited):
    client = limited("--max-songs=2")
    first = send(client)
    cookie = cookie_of(first)
    assert send(client, cookie).status == 201
    refused = send(client, cookie)
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "60"
    assert refused.json()["error"].startswith("2 songs of yours wait here already.")
    assert send(client).status == 201  # another browser's
    job = first.json()["job"]
    again = client.request("POST", "/cgi-bin/again.py", f"job={job}", {"Cookie": cookie, **FORM})
    assert again.status == 429
    client.separate(job)
    client.wait_for(job, "done")
    assert send(client, cookie).status == 201


def test_many_uploads_at_once_do_not_get_round_the_number(limited):
    client = limited("--max-songs=3")
    cookie = cookie_of(send(client))
    statuses = []
    senders = [threading.Thread(target=lambda: statuses.append(send(client, cookie).status)) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(statuses) == [201] * 2 + [429] * 6


def test_songs_take_no_more_than_their_share_of_the_disk(limited):
    client = limited("--max-disk-percent=0.0000001")
    refused = send(client)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"].startswith("The songs on this machine fill the room")


def test_stems_that_would_find_no_room_are_not_begun(quick_home, serve):
    server = serve()
    job = server.client().uploaded_job(SECOND)
    server.stop()
    client = serve("--max-disk-percent=0.0000001").client()
    assert client.separate(job).status == 503
    assert client.state(job)["state"] == "uploaded"


def test_an_engine_that_hangs_is_ended_and_the_next_job_runs(limited, quick_home):
    client = limited(f"--max-job-hours={1 / 3600}")
    double.order(quick_home, seconds=double.LONG)
    job = client.uploaded_job(SECOND)
    client.separate(job)
    failed = client.wait_for(job, "failed")
    assert failed["error"] == "The separation took longer than it may take here, so it was ended."
    processes.wait_until_gone(quick_home, job)
    double.order(quick_home)
    client.separate(job)
    client.wait_for(job, "done")


@pytest.mark.parametrize("option", ["--max-upload-gb", "--max-song-hours", "--max-songs", "--max-disk-percent"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "inf", "nan"])
def test_a_limit_is_a_number_above_nothing(monkeypatch, capsys, option, value):
    from webapp import arguments

    monkeypatch.setattr("sys.argv", ["server.py", f"{option}={value}"])
    with pytest.raises(SystemExit):
        arguments.parse()
    assert option in capsys.readouterr().err


def test_scripts_and_worker_are_told_of_the_limits_by_the_environment(monkeypatch):
    chosen = Limits(max_upload_gb=0.5, max_song_hours=1, max_songs=3, max_disk_percent=7.5, keep_hours=2)
    for name, value in chosen.variables().items():
        monkeypatch.setenv(name, value)
    assert limits.in_force() == chosen


def test_without_a_word_the_defaults_are_in_force():
    assert limits.in_force() == Limits()


def test_the_largest_upload_is_welcome_and_a_byte_more_is_not():
    head = Message()
    head["Host"], head["Content-Length"] = "localhost", str(Limits().max_upload_bytes)
    assert guard.check("POST", head) == Limits().max_upload_bytes
    head.replace_header("Content-Length", str(Limits().max_upload_bytes + 1))
    with pytest.raises(Refusal) as refused:
        guard.check("POST", head)
    assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("127.0.0.1", ""),
        ("127.1.2.3", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("192.168.0.7", "192.168.0.7"),
        ("::ffff:192.168.0.7", "192.168.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
    ],
)
def test_an_address_counts_for_the_network_that_a_visitor_has(address, counts_as):
    assert visitors.network(address) == counts_as
