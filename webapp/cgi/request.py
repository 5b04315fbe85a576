"""The request that started a CGI script (RFC 3875): its meta-variables, its body, and the fields of its form."""

import os
import select
import sys
import time
from http import HTTPStatus
from io import BytesIO
from urllib.parse import parse_qsl

from webapp import limits
from webapp.cgi.chunked import ChunkedBody
from webapp.pace import Pace
from webapp.pages.http_errors import HTTPError, too_large, upload_interrupted, upload_timeout
from webapp.pages.rendering import JSON
from webapp.translation import translate

LOOK_SECONDS = 1.0  # between two looks whether the server lives
READ_BYTES = 1 << 18  # larger pieces do not fit into the processor's cache


class Request:
    """The request that started this script."""

    def __init__(self) -> None:
        self.method = os.environ.get("REQUEST_METHOD", "GET")
        self.wants_json = JSON in os.environ.get("HTTP_ACCEPT", "")
        self.cookies = os.environ.get("HTTP_COOKIE", "")
        self.is_https = os.environ.get("HTTPS") == "on"
        self.address = os.environ.get("REMOTE_ADDR", "")
        self.content_type = os.environ.get("CONTENT_TYPE", "")
        self.query_name = next((value for key, value in self._query() if key == "filename"), "")
        length = os.environ.get("CONTENT_LENGTH", "")
        is_chunked = os.environ.get("HTTP_TRANSFER_ENCODING") == "chunked"
        self.content_length = None if is_chunked else int(length or 0)
        self._chunks = ChunkedBody(self._receive) if is_chunked else None
        self._nb_read = 0
        self._limits = limits.current()
        self._pace = Pace(self._limits)
        self._fields: list[tuple[str, str]] | None = None

    def read(self) -> bytes:
        """The next bytes of the body, empty at its end.

        Raises HTTPError: 400 or 408 if the client stops sending, 413 if the body is too long.
        """
        if self._nb_read == self.content_length:
            return b""
        content = self._chunks.read() if self._chunks else self._receive()
        self._nb_read += len(content)
        if self._nb_read > self._limits.max_upload_bytes:
            raise too_large(self._limits)
        if self._pace.is_too_slow and content and self._nb_read != self.content_length:
            raise upload_timeout()
        return content

    def _receive(self) -> bytes:
        """What has arrived of the body, at least one byte. Raises HTTPError (400, 408) if the client stops sending."""
        most = READ_BYTES if self.content_length is None else min(READ_BYTES, self.content_length - self._nb_read)
        begin = time.monotonic()
        self._await_data()
        try:
            received = os.read(sys.stdin.fileno(), most)
        except BlockingIOError:  # the timeout that the server has set on the socket
            raise upload_timeout() from None
        except ConnectionError:
            received = b""
        if not received:
            raise upload_interrupted()
        self._pace.count(len(received), time.monotonic() - begin)
        self.check_server()
        return received

    def check_server(self) -> None:
        """Raise HTTPError if the server has ended, so that nobody could be told what this script has done."""
        server = os.environ.get("SERVER_PROCESS")
        if server and os.name != "nt" and os.getppid() != int(server):
            raise upload_interrupted()

    def field(self, name: str) -> str:
        """The value of a field of the query, or of the form that was posted; empty if there is none."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> list[str]:
        """All values of a field that may be repeated. Raises HTTPError (400, 408, 413)."""
        if self._fields is None:
            self._fields = self._form() if self.method == "POST" else self._query()
        return [value for key, value in self._fields if key == name]

    def _await_data(self) -> None:
        """Wait for the client, but not longer than its pace allows. Raises HTTPError (408)."""
        if not hasattr(select, "poll"):
            return  # on Windows, the body comes through a pipe, which ends with the server
        poll = select.poll()
        poll.register(sys.stdin.fileno(), select.POLLIN)
        deadline = time.monotonic() + self._pace.seconds_left
        while not poll.poll(1000 * min(LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
            self.check_server()
            if time.monotonic() >= deadline:
                raise upload_timeout()

    @property
    def job(self) -> str:
        """The job that the request names, as far as its fields were read; empty if it names none."""
        return next((value for key, value in self._fields or () if key == "job"), "")

    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(os.environ.get("QUERY_STRING", ""))

    def _form(self) -> list[tuple[str, str]]:
        """The fields of a form, in either of the two encodings of HTML."""
        from multipart import MultipartError, parse_form_data  # imported here, since most scripts have no form

        body, most = b"", self._limits.max_form_bytes
        while (self.content_length or 0) <= most and len(body) <= most and (piece := self.read()):
            body += piece
        if max(len(body), self.content_length or 0) > most:
            raise HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, translate("This form is too long."))
        environ = {**os.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        try:
            form, _ = parse_form_data(environ, strict=True)
        except (MultipartError, ValueError, LookupError):  # malformed, or in an unknown text encoding
            raise HTTPError(HTTPStatus.BAD_REQUEST, translate("This form cannot be read.")) from None
        return list(form.iterallitems())
