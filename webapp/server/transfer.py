"""Transfers: a client sends a body or reads a response, and the server waits for it.

The system knows how many bytes a connection has carried, also those that a script reads from it, so that the slowest of
many transfers can be found without any work while they run. Only Linux tells; elsewhere no transfer counts as slow.
"""

import contextlib
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable

from webapp.limits import Limits

if sys.platform != "win32":
    import fcntl
    import termios

# Neither selector needs a descriptor of its own, which may be what is scarce; poll supports descriptors above 1023.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)

GIVE_WAY_SECONDS = 0.5  # in which a script may end by itself after its client has given way
AHEAD_BYTES = 512 << 10  # of an upload are received before a script reads it
CHECK_SECONDS = 9.0  # that a script may take for a body whose end is not known, after all of it has arrived

# Fields of Linux's struct tcp_info, with their offsets: segments that are sent and not acknowledged, bytes that were
# acknowledged, bytes received, and bytes that are not sent yet.
_INFO_BYTES = 148
_UNACKED = struct.Struct("24xI")
_CARRIED = struct.Struct("120xQQ8xI")


class Transfer:
    """A body that a client sends, or a response that it reads (`is_sending`), and how fast it does so.

    `network` is that of the client, "" for this machine. `nb_bytes` is the length of a body, None if it is not known.
    """

    def __init__(
        self, connection: socket.socket, network: str = "", is_sending: bool = False, nb_bytes: int | None = None
    ):
        self._connection = connection
        self._nb_bytes = nb_bytes
        self.network = network
        self.gave_way = False  # whether it was ended for another client
        self.kill_script: Callable[[], None] = lambda: None  # the script that reads the body, once there is one
        self._is_sending = is_sending
        self._nb_ahead = 1  # as many bytes that nobody has read yet show that it is not the client that is slow
        self._started_at = time.monotonic()
        self._nb_before = self._nb_carried()[0] - (_nb_unread(connection) if is_sending else 0)

    def pace(self) -> tuple[float, float]:
        """The bytes per second so far, and the seconds. The pace is infinite while the client is not waited for."""
        seconds = time.monotonic() - self._started_at
        if sys.platform != "linux":
            return float("inf"), seconds
        nb_carried, is_read_slowly = self._nb_carried()
        nb_carried -= self._nb_before
        if self._is_sending and self._nb_bytes is None:
            seconds -= CHECK_SECONDS
        has_sent_all = self._nb_bytes is not None and nb_carried >= self._nb_bytes
        is_ahead = self._is_sending and _nb_unread(self._connection) >= self._nb_ahead
        is_waited_for = not (has_sent_all or is_ahead) if self._is_sending else is_read_slowly
        return (nb_carried / seconds if is_waited_for and seconds > 0 else float("inf")), seconds

    def receive_ahead(self) -> None:
        """Let the system receive more of a body than it would before a script reads it.

        While scripts start, or uploads wait for a slot, clients that go on sending can then be told from those that
        have stopped. A low-water mark makes Linux enlarge the buffer, which keeps its size when the mark is taken back.
        """
        set_low_water_mark(self._connection, AHEAD_BYTES)
        set_low_water_mark(self._connection, 1)
        self._nb_ahead = AHEAD_BYTES // 2

    def readiness(self) -> float:
        """How many bytes of a body have arrived that nobody has read yet; infinite if it is the whole body."""
        if not self._is_sending:
            return 0.0
        nb_unread = _nb_unread(self._connection)
        return float("inf") if nb_unread == self._nb_bytes else float(nb_unread)

    def give_way(self) -> None:
        """End the transfer. A client that sends can still read the response.

        A script notices the end of its input. On a busy machine it may still be starting, and then it is killed.
        """
        self.gave_way = True
        with contextlib.suppress(OSError):  # closed by its client
            self._connection.shutdown(socket.SHUT_RD if self._is_sending else socket.SHUT_RDWR)
        if self._is_sending:
            killing = threading.Timer(GIVE_WAY_SECONDS, lambda: self.kill_script())
            killing.daemon = True
            killing.start()

    def _nb_carried(self) -> tuple[int, bool]:
        """How many bytes were carried in the transfer's direction, and whether the client has not read some yet."""
        if sys.platform != "linux":
            return 0, False
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        except OSError:  # closed in the meantime
            return 0, False
        (nb_unacked,) = _UNACKED.unpack_from(info)
        nb_acked, nb_received, nb_unsent = _CARRIED.unpack_from(info)
        return (nb_received if self._is_sending else nb_acked), bool(nb_unacked or nb_unsent)


def slowest(transfers: Iterable[Transfer], limits: Limits) -> list[Transfer]:
    """Those of the transfers below the fair pace, which must give way when others wait, the slowest first."""
    paces = ((*transfer.pace(), transfer) for transfer in transfers if not transfer.gave_way)
    slow = [
        (bytes_per_second, transfer)
        for bytes_per_second, seconds, transfer in paces
        if seconds > limits.fair_seconds and bytes_per_second < limits.fair_bytes_per_second
    ]
    return [transfer for _, transfer in sorted(slow, key=lambda found: found[0])]


def set_low_water_mark(connection: socket.socket, nb_bytes: int) -> None:
    """Set how many bytes must have arrived before the connection counts as readable."""
    if os.name != "nt":  # Windows does not support any other number than 1
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, nb_bytes)


def has_received(connection: socket.socket) -> bool:
    """Whether something has arrived that nobody has read yet, or the end of what the client sends."""
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))


def _nb_unread(connection: socket.socket) -> int:
    """How many bytes have arrived that nobody has read yet; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    try:
        (nb_bytes,) = struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))
    except OSError:  # closed in the meantime
        return 0
    return int(nb_bytes)
