"""A body in chunks (RFC 9112, section 7.1), as programs send it that do not know its length beforehand."""

import re
from collections.abc import Callable
from http import HTTPStatus

from webapp.pages.http_errors import HTTPError
from webapp.translation import translate

SIZE = re.compile(rb"([0-9a-f]{1,15})[ \t]*(?:;[^\r\n]*)?", re.IGNORECASE)
MAX_LINE_BYTES = 4 << 10  # of a chunk's size with its extensions, and of a trailer line
MAX_TRAILERS = 32


class ChunkedBody:
    """Decodes the bytes that `receive` returns."""

    def __init__(self, receive: Callable[[], bytes]):
        self._receive = receive
        self._received = b""
        self._nb_left = 0  # bytes of the present chunk
        self._has_begun = self._has_ended = False

    def read(self) -> bytes:
        """The next bytes of the body, empty at its end. Raises HTTPError (400) if the chunks are malformed."""
        if not self._nb_left and not self._has_ended:
            self._start_chunk()
        if self._has_ended:
            return b""
        received = self._received or self._receive()
        content, self._received = received[: self._nb_left], received[self._nb_left :]
        self._nb_left -= len(content)
        return content

    def _start_chunk(self) -> None:
        if self._has_begun and self._read_line():
            raise _malformed()  # the line end of the chunk before is missing
        self._has_begun = True
        found = SIZE.fullmatch(self._read_line())
        if not found:
            raise _malformed()
        self._nb_left = int(found[1], 16)
        if not self._nb_left:
            self._skip_trailers()
            self._has_ended = True

    def _skip_trailers(self) -> None:
        for _ in range(MAX_TRAILERS):
            if not self._read_line():
                return
        raise _malformed()

    def _read_line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self._received:
            if len(self._received) > MAX_LINE_BYTES:
                raise _malformed()
            self._received += self._receive()
        line, _, self._received = self._received.partition(b"\r\n")
        if len(line) > MAX_LINE_BYTES:
            raise _malformed()
        return line


def _malformed() -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, translate("The chunks of this request cannot be read."))
