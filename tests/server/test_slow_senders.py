"""Slow senders, and requests with malformed heads."""

import contextlib
import http.client
import io
import os
import select
import socket
import time

import pytest

from tests.support import wave_files
from tests.support.client import parse, upload_head
from tests.support.connections import incomplete_form, open_connections
from tests.support.forms import file_part
from tests.support.wave_files import SONG

SLOW = 40  # connections; more than the slots for scripts and uploads together


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", incomplete_form("delete"), upload_head("Content-Length: 100000") + b"--a"]
)
def test_slow_senders_do_not_block_others(client, sent):
    with open_connections(client.port, SLOW, sent):
        assert client.get("/").status == 200  # by now the server has accepted the connections before this one
        assert client.uploaded_job(SONG)
        assert client.get("/cgi-bin/songs.py").status == 200


@pytest.mark.skipif(os.name == "nt", reason="Windows does not wait for the first bytes of a body")
def test_many_senders_that_leave_at_once_do_not_take_slots(start_server):
    client = start_server(max_uploads=1, slot_seconds=0.01).client()
    with open_connections(client.port, SLOW, upload_head("Content-Length: 100000") + b"--a"):
        assert client.get("/").status == 200  # by now the server waits for the rest of each
    assert client.uploaded_job(SONG)


def test_an_upload_below_the_minimum_rate_times_out(start_server):
    client = start_server(idle_seconds=1, min_bytes_per_second=100_000).client()
    with client.open_upload(100_000) as connection:
        connection.sendall(file_part(SONG)[:1000])
        with contextlib.suppress(OSError):  # the server has closed
            while not select.select([connection], [], [], 0.1)[0]:
                connection.sendall(b"x")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"too slow" in answer


def test_a_request_head_that_never_ends_times_out(start_server):
    client = start_server(idle_seconds=1).client()
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection, contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(b"G")
            time.sleep(0.1)  # slower than the server waits for a head, but never idle
        pytest.fail("the server goes on reading")


def test_a_request_head_of_megabytes_is_refused(client):
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 60000) for number in range(50))
    with contextlib.suppress(ConnectionError):  # the server may close before it has read everything
        assert b" 431 " in client.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n").split(b"\r\n")[0]


@pytest.mark.parametrize("line", ["Content-Length : 5", " Content-Length: 5", "no header", ": x"])
def test_malformed_header_lines_are_refused(client, line):
    reply = parse(client.raw(f"GET / HTTP/1.1\r\nHost: localhost\r\n{line}\r\nA: b\r\n\r\n".encode()))
    assert reply.status in (400, 403)


@pytest.mark.parametrize("target", ["/a\0b", "/cgi-bin/uploaded.py?job=a\0b", "/cgi-bin/job.py?job=\0"])
def test_a_null_byte_in_the_target_is_refused(client, target):
    assert client.raw_get(target).status == 400


def test_a_bare_carriage_return_does_not_end_a_header(client):
    reply = client.raw_get("/", "A: b\rTransfer-Encoding: chunked")
    assert reply.status == 200


def test_a_form_sent_byte_by_byte_is_accepted(client):
    job = client.uploaded_job(wave_files.wav())
    body = f"job={job}".encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        connection.sendall(incomplete_form("delete").replace(b"1000", b"%d" % len(body))[: -len("job=")])
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.005)
        answer = http.client.parse_headers(io.BytesIO(connection.recv(65536).partition(b"\r\n")[2]))
    assert answer["Location"] == f"/?deleted={job}"
