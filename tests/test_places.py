"""More connections than there are places: who waits without a request makes room, who has one never does."""

import contextlib
import http.client
import socket
import time

import pytest

from tests import waves
from tests.test_bad_input import END, SONG, open_post, part
from tests.test_crowd import crowd, form_head
from webapp.serving.connection import SECURITY_HEADERS
from webapp.serving.places import Places

LONG_SONG = waves.wave(bytes(16 << 20))  # more than the system keeps for a reader who is slow


@contextlib.contextmanager
def connected(client):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)) as connection:
        yield connection


def ask(connection) -> int:
    connection.request("GET", "/static/style.css")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def assert_served_soon(client) -> None:
    deadline = time.monotonic() + 10
    while client.get("/").status != 200:
        assert time.monotonic() < deadline, "the places stay taken"
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX"])
def test_who_waits_without_a_request_makes_room(limited, sent):
    client = limited(MAX_CONNECTIONS=5)
    with crowd(client.port, 12, sent):
        for _ in range(3):
            assert client.get("/").status == 200
        assert client.uploaded_job(SONG)


def test_who_has_been_answered_makes_room(limited):
    client = limited(MAX_CONNECTIONS=3)
    with connected(client) as first, connected(client) as second, connected(client) as third:
        for one in (first, second, third):
            assert ask(one) == 200
        assert_served_soon(client)  # the answers may be here before the places are free


def test_a_request_in_progress_is_not_broken_off(limited):
    client = limited(MAX_CONNECTIONS=3)
    job = client.uploaded_job(LONG_SONG)
    body = part(content=LONG_SONG) + END
    with open_post(client, len(body)) as sender, connected(client) as reader:
        sender.sendall(body[:1000])
        reader.request("GET", f"/downloads/{job}/mixture.wav")
        answer = reader.getresponse()
        begun = answer.read(1000)
        with crowd(client.port, 20, b""):
            assert client.get("/").status == 200
            assert begun + answer.read() == LONG_SONG
            sender.sendall(body[1000:])
            assert b" 303 " in b"".join(iter(lambda: sender.recv(65536), b"")).split(b"\r\n")[0]


def test_beyond_the_requests_in_progress_one_is_told_so_and_served_later(limited):
    client = limited(MAX_CONNECTIONS=5)
    with crowd(client.port, 5, form_head("delete")):
        deadline = time.monotonic() + 10
        while (reply := client.get("/")).status != 503:  # a head may come a moment later than its connection
            assert time.monotonic() < deadline
        assert reply.headers["Retry-After"] == "5"
        assert reply.body == b"Too many people are here at the moment. Please try again in a few seconds."
        assert {**reply.headers}.items() >= SECURITY_HEADERS.items()
    assert_served_soon(client)


@pytest.fixture
def pairs():
    """Connections, each with its other end."""
    made = [socket.socketpair() for _ in range(4)]
    for ends in made:
        for end in ends:
            end.settimeout(5)
    yield made
    for ends in made:
        for end in ends:
            end.close()


def test_who_has_waited_longest_goes_first(pairs):
    first, second, third, _ = [ends[0] for ends in pairs]
    places = Places(2)
    for one in (first, second):
        assert places.take(one)
    assert places.serve(first)
    places.wait(first)
    assert places.take(third)
    assert places.serve(first)
    assert not places.serve(second)


def test_what_has_just_come_is_not_thrown_away(pairs):
    (one, its_visitor), (two, _), (three, _), _ = pairs
    places = Places(2)
    assert places.take(one)
    assert places.take(two)
    its_visitor.send(b"GET / HTTP/1.1\r\n")
    assert places.take(three)
    assert two.recv(1) == b""
    assert not places.serve(two)
    assert places.serve(one)


def test_a_place_is_given_back_once(pairs):
    ours = [ends[0] for ends in pairs]
    places = Places(2)
    for one in ours[:2]:
        assert places.take(one)
        assert places.serve(one)
    assert not places.take(ours[2])
    for _ in range(2):
        places.leave(ours[0])
    assert places.take(ours[2])
    assert places.serve(ours[2])
    assert not places.take(ours[3])
    places.wait(ours[1])
    assert places.take(ours[3])
