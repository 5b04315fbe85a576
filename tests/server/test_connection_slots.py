"""More connections than slots: idle ones are closed for new ones, requests in progress never are."""

import contextlib
import http.client

import pytest

from tests.support import wave_files
from tests.support.client import Reply
from tests.support.connections import incomplete_form, open_connections
from tests.support.forms import END, file_part
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG
from webapp.server.security_headers import SECURITY_HEADERS

LONG_SONG = wave_files.wav(bytes(16 << 20))  # more than the socket buffers hold


@contextlib.contextmanager
def connected(client):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)) as connection:
        yield connection


def ask(connection) -> int:
    connection.request("GET", "/static/style.css")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _reply_with_status(client, status: int) -> Reply | None:
    reply = client.get("/")
    return reply if reply.status == status else None


def assert_served_soon(client) -> None:
    wait_until(lambda: client.get("/").status == 200, message="the slots stay taken")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX"])
def test_connections_without_a_request_are_closed_for_new_ones(start_server, sent):
    client = start_server(max_connections=5).client()
    with open_connections(client.port, 12, sent):
        for _ in range(3):
            assert client.get("/").status == 200
        assert client.uploaded_job(SONG)


def test_idle_kept_connections_are_closed_for_new_ones(start_server):
    client = start_server(max_connections=3).client()
    with connected(client) as first, connected(client) as second, connected(client) as third:
        for one in (first, second, third):
            assert ask(one) == 200
        assert_served_soon(client)  # the slots are released a moment after the responses


def test_requests_in_progress_are_never_closed(start_server):
    client = start_server(max_connections=3).client()
    job = client.uploaded_job(LONG_SONG)
    body = file_part(LONG_SONG) + END
    with client.open_upload(len(body)) as sender, connected(client) as reader:
        sender.sendall(body[:1000])
        reader.request("GET", f"/downloads/{job}/mixture.wav")
        answer = reader.getresponse()
        begun = answer.read(1000)
        with open_connections(client.port, 20, b""):
            assert client.get("/").status == 200
            assert begun + answer.read() == LONG_SONG
            sender.sendall(body[1000:])
            assert b" 303 " in b"".join(iter(lambda: sender.recv(65536), b"")).split(b"\r\n")[0]


def test_with_all_slots_in_use_a_request_gets_503(start_server):
    client = start_server(max_connections=5).client()
    with contextlib.ExitStack() as forms:

        def refused() -> Reply | None:
            """Take one more slot: the last request may have taken that of a form whose head was not read yet."""
            forms.enter_context(open_connections(client.port, 1, incomplete_form("delete")))
            return _reply_with_status(client, 503)

        reply = wait_until(refused)
        assert reply.headers["Retry-After"] == "5"
        assert reply.body == b"Too many people are here at the moment. Please try again in a few seconds."
        assert {**reply.headers}.items() >= SECURITY_HEADERS.items()
    assert_served_soon(client)
