"""A password for the whole server: HTTP Basic authentication (RFC 7617), for use behind a proxy with TLS."""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from pathlib import Path

from webapp.limits import Limits
from webapp.pages.http_errors import HTTPError
from webapp.server.rate_limit import RateLimit
from webapp.translation import mark_for_translation, translate

MIN_CHARACTERS = 8
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Sound separator", charset="UTF-8"'}
TOO_MANY = mark_for_translation("Too many wrong passwords came from your address. Please try again in a minute.")

log = logging.getLogger("server")


class Password:
    """The password in the first line of a file, which is read once. Any user name is accepted with it."""

    def __init__(self, path: Path, limits: Limits, clock: Callable[[], float] = time.monotonic):
        """Raises OSError, or ValueError with a sentence, if there is no password in the file at `path`."""
        line = path.read_bytes().split(b"\n")[0].rstrip(b"\r")
        if len(line) < MIN_CHARACTERS:
            raise ValueError(f"the first line of {path} must be a password of at least {MIN_CHARACTERS} characters")
        if os.name != "nt" and path.stat().st_mode & 0o007:
            log.warning("everybody on this machine can read %s", path)
        self._digest = _digest(line)
        self._wrong = RateLimit(limits.max_wrong_passwords, TOO_MANY, clock)

    def check(self, headers: Message, network: str) -> None:
        """Raise HTTPError: 401 without the password, 429 after too many wrong ones, even if this one is right."""
        authorization = headers.get("Authorization")
        is_right = authorization is not None and hmac.compare_digest(_digest(_password(authorization)), self._digest)
        if authorization is None or is_right:
            self._wrong.check(network)
        else:
            self._wrong.spend(network)
        if not is_right:
            raise HTTPError(HTTPStatus.UNAUTHORIZED, translate("Please enter the password."), CHALLENGE)


def _password(authorization: str) -> bytes:
    """The password in an `Authorization` header; empty if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _digest(password: bytes) -> bytes:
    """A digest has the same length for all passwords, so that a comparison takes the same time for all."""
    return hashlib.sha256(password).digest()
