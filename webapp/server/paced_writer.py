"""Sending a response to a client that must read it at a certain pace, and that gives way to others if it is slow."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from io import RawIOBase
from typing import TYPE_CHECKING, BinaryIO

from webapp.limits import Limits
from webapp.pace import Pace
from webapp.server.transfer import Transfer

if TYPE_CHECKING:
    from webapp.server.connection_slots import ConnectionSlots

PIECE_BYTES = 1 << 20  # that are sent before the pace is checked


class PacedWriter(RawIOBase):
    """A stream to the client of `connection`. Raises TimeoutError if the client reads too slowly."""

    def __init__(self, connection: socket.socket, slots: ConnectionSlots, limits: Limits):
        self._connection = connection
        self._slots = slots
        self._limits = limits
        self.start_response()

    def writable(self) -> bool:
        return True

    def start_response(self) -> None:
        """Begin to measure the pace anew: what follows is another response."""
        self._pace = Pace(self._limits)
        self._transfer: Transfer | None = None  # of this response, once the server had to wait for the client

    def write(self, content: bytes) -> int:  # type: ignore[override]  # any buffer, but only bytes are written here
        view = memoryview(content)

        def send(start: int) -> int:
            return self._connection.send(view[start : start + PIECE_BYTES])

        self._send_all(send, len(view))
        return len(view)

    def send_file(self, file: BinaryIO, start: int, nb_bytes: int) -> None:
        """Send a part of an open file. If the file has become shorter, less is sent."""

        def send(nb_sent: int) -> int:
            most = min(PIECE_BYTES, nb_bytes - nb_sent)
            if hasattr(os, "sendfile"):
                return os.sendfile(self._connection.fileno(), file.fileno(), start + nb_sent, most)
            file.seek(start + nb_sent)
            piece = file.read(most)
            return self._connection.send(piece) if piece else 0

        self._send_all(send, nb_bytes)

    def _send_all(self, send: Callable[[int], int], nb_bytes: int) -> None:
        """Call `send` with the number of bytes sent so far until all are sent, or it sends nothing more."""
        self._connection.setblocking(False)
        nb_sent = 0
        while nb_sent < nb_bytes:
            begin = time.monotonic()
            nb_new = self._send_some(send, nb_sent)
            self._pace.count(nb_new, time.monotonic() - begin)
            if not nb_new:
                break
            nb_sent += nb_new
        self._connection.settimeout(self._limits.idle_seconds)

    def _send_some(self, send: Callable[[int], int], nb_sent: int) -> int:
        """Wait until the connection takes more, if that is necessary."""
        while True:
            try:
                return send(nb_sent)
            except BlockingIOError:
                self._transfer = self._transfer or Transfer(self._connection)
                with self._slots.transferring(self._connection, self._transfer):
                    self._wait_until_writable()

    def _wait_until_writable(self) -> None:
        """Raises TimeoutError."""
        seconds = self._pace.seconds_left
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._connection, select.POLLOUT)
            is_ready = bool(poll.poll(1000 * max(0.0, seconds)))
        else:
            is_ready = bool(select.select([], [self._connection], [], max(0.0, seconds))[1])
        if not is_ready:
            raise TimeoutError("the client reads too slowly")
