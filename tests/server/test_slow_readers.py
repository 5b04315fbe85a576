"""Clients that read the output of a script slowly."""

import contextlib
import socket
import threading

import pytest

from tests.support import fake_engine, wave_files

LONG_SONG = wave_files.wav(b"\x01\x20" * 4_000_000)


@contextlib.contextmanager
def reading(port: int, path: str, nb_bytes: int, pause: float):
    """A client that requests `path` and reads `nb_bytes` after each pause, in seconds."""
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
    with contextlib.suppress(OSError):  # the server has closed the connection
        while not stop.wait(pause):
            visitor.recv(nb_bytes)


@pytest.mark.parametrize(("nb_bytes", "pause"), [(1, 1.0), (1 << 13, 0.1)])
def test_a_slow_reader_loses_its_slot(fake_engine_home, start_server, nb_bytes, pause):
    """The first client is idle for too long; the second reads regularly, but too slowly."""
    fake_engine.configure(fake_engine_home)
    client = start_server(max_streams=1, idle_seconds=2, min_bytes_per_second=2 << 20, slot_seconds=20).client()
    path = f"/cgi-bin/zip.py?job={client.finished_job(LONG_SONG)}"
    with reading(client.port, path, nb_bytes, pause):
        assert client.get(path).status == 200  # within slot_seconds, else 503
