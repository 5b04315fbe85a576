"""Who may ask: checks on a request's head, before anything is read or run."""

import ipaddress
import re
import socket
from email.errors import FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect, MissingHeaderBodySeparatorDefect
from email.message import Message
from http import HTTPStatus

from webapp import limits
from webapp.refusal import Refusal
from webapp.words import say

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d*)?", re.ASCII | re.IGNORECASE)  # RFC 3986, 3.2.2
NO_HEADER = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect)
LENGTH = re.compile(r"\d{1,18}", re.ASCII)


def check(method: str, headers: Message, public_name: str = "") -> int:
    """Return the length of the body. Raises Refusal (400, 403, 411, 413, 501) for a request that is not welcome."""
    _check_values(headers)
    _check_host(headers, public_name)
    if method == "POST":
        _check_origin(headers)
    return _body_length(method, headers)


def check_text(text: str) -> None:
    """Raises Refusal (400) for a null byte: no script could be given it."""
    if "\0" in text:
        raise Refusal(HTTPStatus.BAD_REQUEST, say("A null byte has no place in the head of a request."))


def _check_values(headers: Message) -> None:
    """A null byte ends a text too early for whoever it is handed on to (RFC 9110, 5.5).

    A line that is no header ends the head for Python, and not for a proxy before this server (RFC 9112, 5.1).
    """
    if any(isinstance(defect, NO_HEADER) for defect in headers.defects):
        raise Refusal(HTTPStatus.BAD_REQUEST, say("The head of this request cannot be read."))
    for value in headers.values():
        check_text(value)


def _check_host(headers: Message, public_name: str) -> None:
    """A name that is not this machine's own in `Host` means that another site's page leads here (DNS rebinding)."""
    hosts = headers.get_all("Host", [])
    found = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if not found or not _is_own_name((found[1] or found[2]).lower(), public_name.lower()):
        sentence = say(
            "This server answers only to localhost, its machine's name or its IP address. Please use one of them."
        )
        raise Refusal(HTTPStatus.FORBIDDEN, sentence)


def _is_own_name(name: str, public_name: str) -> bool:
    own = socket.gethostname().lower()
    if name in ("localhost", own, f"{own}.local", public_name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True  # a page cannot be rebound to an address


def _check_origin(headers: Message) -> None:
    """The page that posts, as the browser names it, must be this server's (OWASP: verify origin with headers)."""
    origin = headers.get("Origin")
    foreign = headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    host = headers["Host"]
    if foreign or origin not in (None, f"http://{host}", f"https://{host}"):
        raise Refusal(HTTPStatus.FORBIDDEN, say("A page of another site cannot send anything here."))


def _body_length(method: str, headers: Message) -> int:
    lengths = headers.get_all("Content-Length", [])
    if "Transfer-Encoding" in headers:
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, say("Please send the file with its length, not in chunks."))
    if not lengths and method == "POST":
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, say("Please send the file with its length."))
    if len(lengths) > 1 or not all(map(LENGTH.fullmatch, lengths)):
        raise Refusal(HTTPStatus.BAD_REQUEST, say("The length of what is sent is not a number."))
    length = int(lengths[0]) if lengths else 0
    most = limits.in_force()
    if length > most.max_upload_bytes:
        sentence = say("This file is too large: at most {limit} GB can be sent.", limit=f"{most.max_upload_gb:g}")
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
    return length
