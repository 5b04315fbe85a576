"""A password before everything, for those who put this on a network: HTTP Basic (RFC 7617), behind a proxy with TLS."""

import base64
import binascii
import hashlib
import hmac
import logging
import os
from email.message import Message
from http import HTTPStatus
from pathlib import Path

from webapp.limits import MAX_WRONG_PASSWORDS
from webapp.refusal import Refusal
from webapp.serving.rates import Rate
from webapp.words import later, say

MIN_CHARACTERS = 8
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Sound separator", charset="UTF-8"'}

log = logging.getLogger("server")


class Password:
    """The first line of a file, which is read once; the name that comes with it may be any."""

    def __init__(self, path: Path):
        """Raises OSError, or ValueError with a sentence, if there is no password in the file at `path`."""
        line = path.read_bytes().split(b"\n")[0].rstrip(b"\r")
        if len(line) < MIN_CHARACTERS:
            raise ValueError(f"the first line of {path} must be a password of {MIN_CHARACTERS} characters or more")
        if os.name != "nt" and path.stat().st_mode & 0o007:
            log.warning("everybody on this machine may read %s", path)
        self._digest = _digest(line)
        self._wrong = Rate(
            MAX_WRONG_PASSWORDS,
            later("Too many wrong passwords came from your address. Please try again in a minute."),
        )

    def check(self, headers: Message, address: str) -> None:
        """Raises Refusal: 401 without the password, 429 after too many wrong ones, even if this one is right."""
        told = headers.get("Authorization")
        right = told is not None and hmac.compare_digest(_digest(_password(told)), self._digest)
        if told is None or right:
            self._wrong.check(address)
        else:
            self._wrong.spend(address)
        if not right:
            raise Refusal(HTTPStatus.UNAUTHORIZED, say("Please enter the password."), CHALLENGE)


def _password(authorization: str) -> bytes:
    """The password in the header; empty if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _digest(password: bytes) -> bytes:
    """Of one length for all, so that comparing tells nothing of the password's."""
    return hashlib.sha256(password).digest()
