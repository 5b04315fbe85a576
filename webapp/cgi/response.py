"""How a CGI script answers (RFC 3875): a header block and a body on standard output."""

import sys
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from webapp.cgi.request import Request
from webapp.pages.addresses import address
from webapp.pages.attachment import attachment
from webapp.pages.http_errors import NO_HEADERS, HTTPError, error_body
from webapp.pages.rendering import HTML, JSON, json_body


class StreamInterrupted(Exception):
    """A response failed after its head was sent, so that no other can be sent any more."""


def send(status: HTTPStatus, content_type: str, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> None:
    """Send a whole response."""
    _write_head(status, {"Content-Type": content_type, "Content-Length": str(len(body)), **headers})
    sys.stdout.buffer.write(body)


def send_page(html: str) -> None:
    send(HTTPStatus.OK, HTML, html.encode())


def send_json(
    content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = NO_HEADERS
) -> None:
    send(status, JSON, json_body(content), headers)


def send_error(error: HTTPError, request: Request) -> None:
    error.job_id = error.job_id or request.job
    send(error.status, *error_body(error, request.wants_json), error.headers)


def redirect(location: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
    """Let the browser continue with a GET of `location`, an address of this server (303)."""
    send(HTTPStatus.SEE_OTHER, HTML, b"", {"Location": address(location), **headers})


def redirect_back(
    request: Request, default: str, headers: Mapping[str, str] = NO_HEADERS, songs: str = "/cgi-bin/songs.py"
) -> None:
    """Redirect to the list of songs if the form was sent from there, and to `default` otherwise."""
    redirect(songs if request.field("back") == "songs" else default, headers)


def stream(content_type: str, filename: str, length: int, chunks: Iterable[bytes]) -> None:
    """Offer a file of `length` bytes that is made while it is sent.

    Raises StreamInterrupted if `chunks` raises; the client notices by the length.
    """
    headers = {"Content-Length": str(length), "Content-Disposition": attachment(filename)}
    _write_head(HTTPStatus.OK, {"Content-Type": content_type, **headers})
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    except Exception as error:
        raise StreamInterrupted from error


def _write_head(status: HTTPStatus, headers: Mapping[str, str]) -> None:
    lines = [f"Status: {status.value} {status.phrase}", "Cache-Control: no-store"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sys.stdout.buffer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
