"""Choose a request and send it: whole, in pieces, or broken off."""

import math
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable

from study.robustness.corruption import corrupt
from study.robustness.request_table import BY_SCRIPTS, BY_SERVER, HAND_WRITTEN, SMUGGLING

Send = Callable[[socket.socket, bytes], None]


def choose_request(rng: random.Random) -> tuple[str, bytes, float]:
    """Return the name of a sender, a request, and the largest number of responses that it may get.

    Requests that start a script are rare, because they take long.
    """
    name = rng.choices(list(SENDERS), (10, 50, 20, 20))[0]
    kind = rng.choices((BY_SERVER, BY_SCRIPTS, HAND_WRITTEN), (75, 8, 0 if name == VALID else 15))[0]
    request = rng.choice(kind)
    if name == VALID:
        return name, request.replace(b"\r\nHost", b"\r\nConnection: close\r\nHost"), math.inf
    if kind is HAND_WRITTEN and rng.random() < 0.5:
        return name, request, 1 if request in SMUGGLING.values() else math.inf
    return name, corrupt(rng, request), math.inf


def _send(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)


def _send_and_shut_down(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    connection.shutdown(socket.SHUT_WR)


def _send_in_pieces(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    size = max(1, len(request) // 3)
    for start in range(0, len(request), size):
        connection.sendall(request[start : start + size])
        time.sleep(0.002)
    connection.shutdown(socket.SHUT_WR)


def _break_off(connection: socket.socket, request: bytes) -> None:
    """Send a part, and close the connection without reading the response; half of the time with a reset."""
    length = zlib.crc32(request) % (len(request) + 1)
    connection.sendall(request[:length])
    if length % 2:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


VALID, BROKEN_OFF = "valid requests", "corrupted requests, broken off"
SENDERS: dict[str, Send] = {
    VALID: _send,
    "corrupted requests": _send_and_shut_down,
    "corrupted requests, sent in pieces": _send_in_pieces,
    BROKEN_OFF: _break_off,
}
