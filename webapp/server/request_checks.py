"""Checks on a request's head, before anything is read or run."""

import ipaddress
import re
import socket
from email.errors import FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect, MissingHeaderBodySeparatorDefect
from email.message import Message
from http import HTTPStatus

from webapp.limits import Limits
from webapp.pages.http_errors import HTTPError, too_large
from webapp.translation import translate

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d*)?", re.ASCII | re.IGNORECASE)  # RFC 3986, section 3.2.2
MALFORMED = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect)
WITH_BODY = ("POST", "PUT")
LENGTH = re.compile(r"\d{1,18}", re.ASCII)


def check(method: str, headers: Message, limits: Limits, public_name: str = "") -> int | None:
    """Return the length of the body, None for a body in chunks.

    Raises HTTPError (400, 403, 411, 413, 501) if the request is not accepted.
    """
    _check_headers(headers)
    _check_host(headers, public_name)
    if method in WITH_BODY:
        _check_origin(headers)
    return _body_length(method, headers, limits)


def check_text(text: str) -> None:
    """Raise HTTPError (400) if there is a null byte in the text, which could not be passed on to a script."""
    if "\0" in text:
        raise HTTPError(HTTPStatus.BAD_REQUEST, translate("The head of a request must not contain a null byte."))


def _check_headers(headers: Message) -> None:
    """Reject headers that another program could read differently.

    A null byte ends a text early for programs that it is passed on to (RFC 9110, section 5.5). A line that is not a
    header ends the head for Python, but not for a proxy in front of this server (RFC 9112, section 5.1).
    """
    if any(isinstance(defect, MALFORMED) for defect in headers.defects):
        raise HTTPError(HTTPStatus.BAD_REQUEST, translate("The head of this request cannot be read."))
    for value in headers.values():
        check_text(value)


def _check_host(headers: Message, public_name: str) -> None:
    """Reject a `Host` that is not this machine's name: a page of another site leads here (DNS rebinding)."""
    hosts = headers.get_all("Host", [])
    found = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if not found or not _is_own_name((found[1] or found[2]).lower(), public_name.lower()):
        raise HTTPError(
            HTTPStatus.FORBIDDEN,
            translate(
                "This server answers only to localhost, its machine's name or its IP address. Please use one of them, "
                "or start it with --public-name."
            ),
        )


def _is_own_name(name: str, public_name: str) -> bool:
    own = socket.gethostname().lower()
    if name in ("localhost", own, f"{own}.local", public_name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True  # a page cannot be rebound to an IP address


def _check_origin(headers: Message) -> None:
    """Reject a form of another site's page (OWASP: verifying the origin with standard headers)."""
    origin = headers.get("Origin")
    foreign = headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    host = headers["Host"]
    if foreign or origin not in (None, f"http://{host}", f"https://{host}"):
        raise HTTPError(HTTPStatus.FORBIDDEN, translate("Pages of other sites cannot send anything to this server."))


def _body_length(method: str, headers: Message, limits: Limits) -> int | None:
    lengths = headers.get_all("Content-Length", [])
    if encodings := headers.get_all("Transfer-Encoding", []):
        _check_chunked(method, encodings, lengths)
        return None
    if not lengths and method in WITH_BODY:
        raise HTTPError(
            HTTPStatus.LENGTH_REQUIRED, translate("Please send the file with a Content-Length, or in chunks.")
        )
    if len(lengths) > 1 or not all(map(LENGTH.fullmatch, lengths)):
        raise HTTPError(HTTPStatus.BAD_REQUEST, translate("The Content-Length of this request is not a number."))
    length = int(lengths[0]) if lengths else 0
    if length > limits.max_upload_bytes:
        raise too_large(limits)
    return length


def _check_chunked(method: str, encodings: list[str], lengths: list[str]) -> None:
    """Reject all but plain chunks: programs differ in what they take for the body otherwise (RFC 9112, section 6.3)."""
    if lengths or method not in WITH_BODY:
        raise HTTPError(HTTPStatus.BAD_REQUEST, translate("The head of this request cannot be read."))
    if [encoding.strip(" \t").lower() for encoding in encodings] != ["chunked"]:
        sentence = translate(
            "The server does not know this way to encode a request. Please send it plainly or in chunks."
        )
        raise HTTPError(HTTPStatus.NOT_IMPLEMENTED, sentence)
