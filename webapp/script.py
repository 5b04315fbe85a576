"""The CGI script's side: what was asked (RFC 3875), and how it answers."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from io import BytesIO
from urllib.parse import parse_qsl

from webapp import room
from webapp.html.pages import HTML, JSON, error_body, json_body
from webapp.limits import IDLE_SECONDS, MAX_FORM_BYTES, SLOWEST
from webapp.names import attachment
from webapp.refusal import NO_HEADERS, Refusal, own_fault, stalled
from webapp.words import listen, say

READ_BYTES = 1 << 18  # larger pieces fall out of the processor's cache


class Request:
    """The request that started this script."""

    def __init__(self) -> None:
        self.wants_json = JSON in os.environ.get("HTTP_ACCEPT", "")
        self.cookies = os.environ.get("HTTP_COOKIE", "")
        self.is_https = os.environ.get("HTTPS") == "on"
        self.address = os.environ.get("REMOTE_ADDR", "")
        self.content_type = os.environ.get("CONTENT_TYPE", "")
        self.content_length = int(os.environ.get("CONTENT_LENGTH") or 0)
        self._unread = self.content_length
        self._start = time.monotonic()
        self._fields: list[tuple[str, str]] | None = None

    def read(self) -> bytes:
        """The next bytes of the body, empty at its end. Raises Refusal (408, 400) if the sender stalls or leaves."""
        if not self._unread:
            return b""
        try:
            chunk = os.read(sys.stdin.fileno(), min(READ_BYTES, self._unread))  # what there is, and no waiting for more
        except BlockingIOError:  # the time limit that the server has put on the socket
            raise stalled() from None
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise Refusal(HTTPStatus.BAD_REQUEST, say("The sending broke off before its end."))
        self._unread -= len(chunk)
        self._check_pace()
        return chunk

    def _check_pace(self) -> None:
        """Who sends a byte a second must not keep others from sending."""
        late = time.monotonic() - self._start - IDLE_SECONDS
        if self._unread and self.content_length - self._unread < late * SLOWEST:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, say("The sending was so slow that it was given up."))

    def field(self, name: str) -> str:
        """A field of the query, or of the form that was posted; empty if it is not there."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> list[str]:
        """All values of a field that may stand there more than once."""
        if self._fields is None:
            self._fields = self._form() if os.environ["REQUEST_METHOD"] == "POST" else self._query()
        return [value for key, value in self._fields if key == name]

    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(os.environ.get("QUERY_STRING", ""))

    def _form(self) -> list[tuple[str, str]]:
        """A form in either of the two encodings that HTML knows."""
        from multipart import MultipartError, parse_form_data  # here, since pages never need it

        if self.content_length > MAX_FORM_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, say("This form is too long."))
        body = b"".join(iter(self.read, b""))
        environ = {**os.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        try:
            form, _ = parse_form_data(environ, strict=True)
        except (MultipartError, ValueError, LookupError):  # or no text, or in an encoding that nobody has
            raise Refusal(HTTPStatus.BAD_REQUEST, say("This form cannot be read.")) from None
        return list(form.iterallitems())


def answer(status: HTTPStatus, content_type: str, content: bytes, headers: Mapping[str, str] = NO_HEADERS) -> None:
    """Write a whole answer: the header block, then the content."""
    head = [f"Status: {status.value} {status.phrase}", f"Content-Type: {content_type}"]
    head += [f"Content-Length: {len(content)}", "Cache-Control: no-store"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    sys.stdout.buffer.write("\r\n".join([*head, "", ""]).encode("ascii") + content)


def answer_page(html: str) -> None:
    answer(HTTPStatus.OK, HTML, html.encode())


def answer_json(content: dict, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = NO_HEADERS) -> None:
    answer(status, JSON, json_body(content), headers)


def redirect(location: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
    """Send the browser on with a GET (303)."""
    answer(HTTPStatus.SEE_OTHER, HTML, b"", {"Location": location, **headers})


def go_back(request: Request, otherwise: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
    """Send the browser back to its list of songs, if the form was on that page, and else to `otherwise`."""
    redirect("/cgi-bin/songs.py" if request.field("back") == "songs" else otherwise, headers)


def stream(content_type: str, filename: str, length: int, chunks: Iterable[bytes]) -> None:
    """Offer a file that is made while it is sent. Goes wrong what may, it ends early, which its length gives away."""
    head = [f"Status: {HTTPStatus.OK.value} {HTTPStatus.OK.phrase}", f"Content-Type: {content_type}"]
    head += [f"Content-Length: {length}", f"Content-Disposition: {attachment(filename)}", "Cache-Control: no-store"]
    sys.stdout.buffer.write("\r\n".join([*head, "", ""]).encode("ascii"))
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    except Exception:
        _log_failure()
        sys.exit(1)


def run(main: Callable[[Request], None]) -> None:
    """Run a script. A refusal becomes its page; whatever else goes wrong, a plain one, and the log gets the rest."""
    listen(os.environ.get("HTTP_ACCEPT_LANGUAGE", ""))
    request = Request()
    try:
        with room.needed():
            main(request)
    except Refusal as refusal:
        answer(refusal.status, *error_body(refusal, request.wants_json), refusal.headers)
    except KeyboardInterrupt:
        sys.exit(1)  # the server was stopped with Ctrl-C, which comes here too
    except Exception:
        _log_failure()
        refusal = own_fault()
        answer(refusal.status, *error_body(refusal, request.wants_json))


def _log_failure() -> None:
    import logging  # here, since hardly a script ever needs it

    from webapp import logs

    logs.configure()
    logging.getLogger("script").exception("%s failed", os.environ["SCRIPT_NAME"])
