"""Reading a request's head from a socket in large pieces, and not a byte of what follows it.

The body is for a script, which gets the socket itself, so none of it may be left in a buffer here. The reader of the
base class would therefore have to read byte by byte, which is hundreds of system calls for each request.
"""

import re
import socket
import time
from http.client import HTTPException
from io import RawIOBase

from webapp.limits import Limits

PEEK_BYTES = 1 << 16
END = re.compile(rb"(?:\A|\n)\r?\n")  # in a text that starts at the start of a line
BLANK_LINES = re.compile(rb"[\r\n]+")
LINE_END = b"\r\n"
NO_LINE_END = b"x"  # stands for a line that is longer than a line end


class HeadReader(RawIOBase):
    """A stream of what `connection` receives. `readline` reads ahead to the end of the head at most."""

    def __init__(self, connection: socket.socket, limits: Limits):
        self._connection = connection
        self._limits = limits
        self._buffer = bytearray()  # starts at the start of a line
        self._nb_searched = 0  # bytes of it that hold no line end
        self._is_new = True  # whether nothing of this head has arrived, apart from blank lines
        self._nb_read = 0  # bytes of this head
        self._deadline = 0.0  # of this head, monotonic s

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._connection.fileno()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed names the parameter otherwise
        return self._connection.recv_into(buffer)

    def readline(self, limit: int | None = -1, /) -> bytes:
        """The next line of a head, or a part of it at the stream's end or after `limit` bytes."""
        limit = -1 if limit is None else limit
        while (end := self._find_line_end()) == 0 and not 0 <= limit <= len(self._buffer):
            if not (piece := self._read_ahead()):
                break
            self._buffer += piece
        end = end or len(self._buffer)
        end = min(end, limit) if limit >= 0 else end
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._nb_searched = 0
        return line[:-2].replace(b"\r", b" ") + line[-2:]  # Python takes "\r" for the end of a line (RFC 9112, 2.2)

    def _find_line_end(self) -> int:
        """Where the first line in the buffer ends, 0 if it does not. What was searched is not searched again."""
        end = self._buffer.find(b"\n", self._nb_searched) + 1
        self._nb_searched = len(self._buffer) if not end else self._nb_searched
        return end

    def _read_ahead(self) -> bytes:
        """What has arrived of the head. Raises TimeoutError if it takes too long, HTTPException if it is too long."""
        ahead = self._peek()
        while self._is_new and (blank := BLANK_LINES.match(ahead)):  # to be ignored (RFC 9112, section 2.2)
            self._receive(blank.end())
            ahead = self._peek()
        end = self._find_head_end(ahead)
        received = self._receive(end or len(ahead)) if ahead else b""
        self._is_new = end > 0
        self._nb_read = 0 if end else self._nb_read
        return received

    def _peek(self) -> bytes:
        ahead = self._connection.recv(PEEK_BYTES, socket.MSG_PEEK)
        if not self._nb_read:
            self._deadline = time.monotonic() + self._limits.idle_seconds
        if time.monotonic() > self._deadline:
            raise TimeoutError("the head of a request took too long")
        return ahead

    def _receive(self, nb_bytes: int) -> bytes:
        received = self._connection.recv(nb_bytes)
        self._nb_read += len(received)
        if self._nb_read > self._limits.max_head_bytes:
            raise HTTPException("the head of a request is too long")
        return received

    def _find_head_end(self, ahead: bytes) -> int:
        """Where the head ends in the bytes that follow the buffer, 0 if it does not. The buffer has no line end."""
        line_start = bytes(self._buffer) if len(self._buffer) < len(LINE_END) else NO_LINE_END
        found = END.search(line_start + ahead)
        return found.end() - len(line_start) if found else 0
