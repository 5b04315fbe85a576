"""Slow readers of what a script makes, and more descriptors than the system gives at first."""

import contextlib
import http.client
import socket
import sys
import threading
from pathlib import Path

import pytest

from tests import double, processes, waves
from tests.test_bad_input import SONG
from tests.test_zip import done
from webapp.serving.places import Places

LONG_SONG = waves.wave(b"\x01\x20" * 4_000_000)


@contextlib.contextmanager
def reading(port: int, path: str, nb_bytes: int, pause: float):
    """A visitor who asks for `path`, and reads so many bytes after each pause, in seconds."""
    stop = threading.Event()
    with socket.socket() as visitor:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        visitor.settimeout(30)
        visitor.connect(("127.0.0.1", port))
        visitor.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert visitor.recv(12) == b"HTTP/1.1 200"
        reader = threading.Thread(target=_read, args=(visitor, nb_bytes, pause, stop))
        reader.start()
        try:
            yield
        finally:
            stop.set()
            reader.join()


def _read(visitor: socket.socket, nb_bytes: int, pause: float, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):  # given up
        while not stop.wait(pause):
            visitor.recv(nb_bytes)


@pytest.mark.parametrize(("nb_bytes", "pause"), [(1, 1.0), (1 << 13, 0.1)])
def test_who_reads_too_slowly_gives_the_place_to_the_next(quick_home, limited, nb_bytes, pause):
    """The first takes nothing for longer than may be; the second always something, but too little."""
    double.order(quick_home)
    client = limited(MAX_STREAMS=1, IDLE_SECONDS=2, SLOWEST=2 << 20, SLOT_SECONDS=20)
    path = f"/cgi-bin/zip.py?job={done(client, content=LONG_SONG)}"
    with reading(client.port, path, nb_bytes, pause):
        assert client.get(path).status == 200  # after at most SLOT_SECONDS


@contextlib.contextmanager
def files_allowed(number: int):
    """What is started here may have so many files open, unless it asks for more."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < number:
        pytest.skip("the system allows fewer files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def served_and_kept(port: int, number: int):
    """So many connections, each of which has been answered and is kept."""
    with contextlib.ExitStack() as kept:
        for _ in range(number):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            kept.enter_context(contextlib.closing(connection))
            connection.request("GET", "/static/style.css")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        yield


def _nb_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_the_server_asks_for_the_files_that_its_connections_need(serve):
    with files_allowed(256):
        server = serve()
    with files_allowed(1024), served_and_kept(server.port, 400):
        assert server.client().uploaded_job(SONG)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the server's files as Linux tells of them")
def test_all_works_with_descriptors_beyond_what_select_can_bear(home, limited):
    """select() knows 1024 at most (FD_SETSIZE); what comes last has the highest."""
    with files_allowed(4096):
        client = limited(MAX_CONNECTIONS=1300)
        with served_and_kept(client.port, 1100):
            assert _nb_files(processes.one(home, "server.py")) > 1100
            job = client.uploaded_job(SONG)
            assert client.get(f"/downloads/{job}/mixture.wav").body == SONG
            assert client.get("/cgi-bin/songs.py").status == 200
            assert client.post("/cgi-bin/delete.py", job=job).status == 303


def test_room_is_made_among_them_too():
    fcntl = pytest.importorskip("fcntl")
    ours, its_visitor = socket.socketpair()
    with files_allowed(4096), ours, its_visitor:
        high = socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD, 2000))
        with high, socket.socket() as next_one:
            places = Places(1)
            assert places.take(high)
            assert places.take(next_one)
            its_visitor.settimeout(5)
            assert its_visitor.recv(1) == b""
