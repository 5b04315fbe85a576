"""Reading a request's head from a socket in large pieces, and not a byte of what comes after it.

What comes after is for a script, which gets the socket itself; so nothing of it may lie in a buffer here. The base
class of the server therefore reads byte by byte: hundreds of calls of the system for each request.
"""

import re
import socket
import time
from http.client import HTTPException
from io import RawIOBase

from webapp.limits import IDLE_SECONDS, MAX_HEAD_BYTES

PEEK_BYTES = 1 << 16
END = re.compile(rb"(?:\A|\n)\r?\n")


class HeadReader(RawIOBase):
    """A stream of what comes in at `connection`, of which `readline` looks ahead to the head's end at most."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._held = b""  # begins where a line begins
        self._nb_taken = 0  # bytes of this head
        self._deadline = 0.0  # of this head, monotonic s

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._connection.fileno()

    def readinto(self, buffer: memoryview) -> int:
        return self._connection.recv_into(buffer)

    def readline(self, limit: int = -1) -> bytes:
        """The next line of a head, or what there is of it at the stream's end or after `limit` bytes."""
        while b"\n" not in self._held and not 0 <= limit <= len(self._held):
            if not (piece := self._take()):
                break
            self._held += piece
        end = self._held.find(b"\n") + 1 or len(self._held)
        end = min(end, limit) if limit >= 0 else end
        line, self._held = self._held[:end], self._held[end:]
        return line[:-2].replace(b"\r", b" ") + line[-2:]  # Python would take it for a line's end (RFC 9112, 2.2)

    def _take(self) -> bytes:
        """Whatever has come of the head. Raises TimeoutError if it takes too long, HTTPException if it is too long."""
        ahead = self._connection.recv(PEEK_BYTES, socket.MSG_PEEK)
        if not self._nb_taken:
            self._deadline = time.monotonic() + IDLE_SECONDS
        if time.monotonic() > self._deadline:
            raise TimeoutError("a head that comes too slowly")
        found = END.search(self._held + ahead)
        taken = self._connection.recv(found.end() - len(self._held) if found else len(ahead)) if ahead else b""
        self._nb_taken = 0 if found else self._nb_taken + len(taken)
        if self._nb_taken > MAX_HEAD_BYTES:
            raise HTTPException("a head that is too long")
        return taken
