"""Many at once, and slow ones: others are served, and who is too many is told so at once."""

import contextlib
import http.client
import io
import socket
import time

import pytest

from tests import waves
from tests.client import parse
from tests.test_bad_input import SONG, head, open_post, part

SLOW = 40  # connections; more than there are places for scripts and uploads together


@contextlib.contextmanager
def crowd(port: int, number: int, sent: bytes):
    """So many connections that have sent this and then keep still."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(number):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            connection.sendall(sent)
        yield


def form_head(route: str) -> bytes:
    lines = [f"POST /cgi-bin/{route}.py HTTP/1.1", "Host: localhost", "Content-Length: 1000"]
    lines += ["Content-Type: application/x-www-form-urlencoded", "", "job="]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", form_head("delete"), head("Content-Length: 100000") + b"--a"])
def test_slow_senders_keep_nobody_out(client, sent):
    with crowd(client.port, SLOW, sent):
        time.sleep(0.3)
        begin = time.monotonic()
        assert client.uploaded_job(SONG)
        assert client.get("/cgi-bin/songs.py").status == 200
        assert time.monotonic() - begin < 8  # 10 s is what a request waits for its turn


def test_who_sends_a_byte_now_and_then_is_given_up(limited):
    client = limited(IDLE_SECONDS=1, SLOWEST=100_000)
    with open_post(client, 100_000) as connection:
        connection.sendall(part()[:1000])
        with contextlib.suppress(OSError):  # the server has closed
            for _ in range(60):
                time.sleep(0.1)
                connection.sendall(b"x")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"so slow" in answer


def test_a_head_that_never_ends_is_given_up(limited):
    client = limited(IDLE_SECONDS=1)
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection, contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(b"G")
            time.sleep(0.1)
        pytest.fail("the server goes on reading")


def test_a_head_of_megabytes_is_refused(client):
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 60000) for number in range(50))
    with contextlib.suppress(ConnectionError):  # it need not read to the end
        assert b" 431 " in client.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n").split(b"\r\n")[0]


@pytest.mark.parametrize("line", ["Content-Length : 5", " Content-Length: 5", "no header", ": x"])
def test_a_line_that_is_no_header_is_refused(client, line):
    reply = parse(client.raw(f"GET / HTTP/1.1\r\nHost: localhost\r\n{line}\r\nA: b\r\n\r\n".encode()))
    assert reply.status in (400, 403)


@pytest.mark.parametrize("target", ["/a\0b", "/cgi-bin/uploaded.py?job=a\0b", "/cgi-bin/job.py?job=\0"])
def test_a_null_byte_in_the_address_is_refused(client, target):
    assert client.raw_get(target).status == 400


def test_a_bare_return_ends_no_header(client):
    reply = client.raw_get("/", "A: b\rTransfer-Encoding: chunked")
    assert reply.status == 200


def test_a_form_that_comes_in_pieces_is_taken(client):
    job = client.uploaded_job(waves.wave())
    body = f"job={job}".encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        connection.sendall(form_head("delete").replace(b"1000", b"%d" % len(body))[: -len("job=")])
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.005)
        answer = http.client.parse_headers(io.BytesIO(connection.recv(65536).partition(b"\r\n")[2]))
    assert answer["Location"] == "/"


def test_a_crowd_is_served_and_leaves_nothing_behind(home, trial):
    """The study's, but smaller: state pages, ranges and songs at once, slow ones, idle ones, songs that are queued."""
    script = home / "study" / "faults" / "crowd.py"
    small = script.read_text().replace("NB_SENDERS = 120, 50, 30", "NB_SENDERS = 30, 10, 6")
    small = small.replace("NB_SLOW = 300", "NB_SLOW = 100")
    assert small.count("= 30, 10, 6") == small.count("NB_SLOW = 100") == 1
    script.write_text(small)
    rows = trial("crowd", 3, 5)
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []
    assert sum(row["trials"] for row in rows) > 300
