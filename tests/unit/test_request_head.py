"""Reading the head of a request from a socket."""

import socket
import threading
import time
from http.client import HTTPException

import pytest

from webapp.limits import Limits
from webapp.server.request_head import HeadReader

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_is_read_exactly_to_its_end(cut):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(HEAD[:cut])
        later = threading.Timer(0.005, theirs.sendall, (HEAD[cut:] + b"\r\n\nthe body",))
        later.start()
        reader = HeadReader(ours, Limits())
        lines = list(iter(reader.readline, b"\r\n"))
        later.join()
        assert b"".join(lines) + b"\r\n" == HEAD
        assert ours.recv(100) == b"\r\n\nthe body"


def test_line_length_is_limited_and_reading_ends_with_the_stream():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(b"0123456789\nabc")
        theirs.close()
        reader = HeadReader(ours, Limits())
        assert [reader.readline(4), reader.readline(100), reader.readline(100)] == [b"0123", b"456789\n", b"abc"]
        assert reader.readline(100) == b""


class Dripping(socket.socket):
    """A connection on which each byte after the first `nb_at_once` arrives alone."""

    nb_at_once = 60_000

    def recv(self, nb_bytes: int, flags: int = 0) -> bytes:
        received = super().recv(min(nb_bytes, self.nb_at_once), flags)
        if not flags:
            self.nb_at_once = 1
        return received


def test_a_long_line_that_arrives_byte_by_byte_is_not_searched_again_and_again():
    ours, theirs = socket.socketpair()
    with theirs, Dripping(fileno=ours.detach()) as connection:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        theirs.sendall(b"x" * 63_000 + b"\n\n")
        begin = time.process_time()
        assert len(HeadReader(connection, Limits()).readline()) == 63_001
    assert time.process_time() - begin < 0.2


@pytest.mark.parametrize("blank", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_blank_lines_before_a_head_are_ignored(blank):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(blank + HEAD + blank + HEAD)
        reader = HeadReader(ours, Limits())
        for _ in range(2):
            assert b"".join(iter(reader.readline, b"\r\n")) + b"\r\n" == HEAD


def test_blank_lines_without_end_are_refused():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        theirs.sendall(b"\r\n" * 70_000)
        with pytest.raises(HTTPException):
            HeadReader(ours, Limits()).readline()
