"""Visitors: a browser is known again by a cookie of random bits, so that it is shown its own jobs and nobody else's.

Jobs keep the cookie's hash alone: whoever reads one cannot take the visitor's place with it.
"""

import hashlib
import re
import secrets

YEAR_SECONDS = 365 * 24 * 3600
SECRET_BYTES = 32
COOKIE = re.compile(rf"(?:^|;)[ \t]*visitor=([0-9a-f]{{{2 * SECRET_BYTES}}})[ \t]*(?=;|$)")  # RFC 6265, 4.2.1
ATTRIBUTES = f"HttpOnly; SameSite=Strict; Path=/; Max-Age={YEAR_SECONDS}"


def known(cookies: str) -> str:
    """The visitor that a `Cookie` header tells of, as jobs name them: SHA-256 of the cookie in hex, "" for none."""
    found = COOKIE.search(cookies)
    return _hash(found[1]) if found else ""


def welcome(cookies: str) -> tuple[str, dict[str, str]]:
    """The visitor, a new one if need be, and the headers by which a new one's browser will be known again."""
    if visitor := known(cookies):
        return visitor, {}
    secret = secrets.token_hex(SECRET_BYTES)
    return _hash(secret), {"Set-Cookie": f"visitor={secret}; {ATTRIBUTES}"}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
