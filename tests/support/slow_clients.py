"""Clients that send or read slowly, many at a time."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.support.client import upload_head
from tests.support.forms import file_part
from tests.support.wave_files import SONG

LENGTH = 100_000_000
BEGUN = upload_head(f"Content-Length: {LENGTH}") + file_part(SONG)[:450]  # an upload of which little has arrived
EARNED = upload_head(f"Content-Length: {LENGTH}") + file_part(bytes(70_000))  # as much as a script is started for


@contextlib.contextmanager
def slow_clients(
    port: int, number: int, sent: bytes, act: Callable[[socket.socket], object], pause: float, source: str = "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    """Hold `number` connections from the address `source` that have sent `sent`, and `act` after each pause."""
    stop = threading.Event()
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(_connection(port, source)) for _ in range(number)]
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(sent)
            connection.setblocking(False)
        acting = threading.Thread(target=_keep_acting, args=(connections, act, pause, stop))
        acting.start()
        try:
            yield connections
        finally:
            stop.set()
            acting.join()


def send(nb_bytes: int) -> Callable[[socket.socket], object]:
    return lambda connection: connection.send(bytes(nb_bytes))


def read(nb_bytes: int) -> Callable[[socket.socket], object]:
    return lambda connection: connection.recv(nb_bytes)


def do_nothing(_: socket.socket) -> None:
    """What a client does that has stopped."""


def _connection(port: int, source: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", port))
    return connection


def _keep_acting(
    connections: list[socket.socket], act: Callable[[socket.socket], object], pause: float, stop: threading.Event
) -> None:
    while not stop.wait(pause):
        for connection in connections:
            with contextlib.suppress(OSError):  # the server has closed it
                act(connection)
