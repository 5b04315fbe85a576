"""Visitors: a browser is known again by a cookie of random bits, so that it is shown its own jobs and nobody else's.

Jobs keep the cookie's hash alone: whoever reads one cannot take the visitor's place with it.
"""

import hashlib
import ipaddress
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


def welcome(cookies: str, is_https: bool) -> tuple[str, dict[str, str]]:
    """The visitor, a new one if need be, and the headers by which a new one's browser will be known again.

    A cookie that was given over TLS never goes without.
    """
    if visitor := known(cookies):
        return visitor, {}
    secret = secrets.token_hex(SECRET_BYTES)
    return _hash(secret), {"Set-Cookie": f"visitor={secret}; {ATTRIBUTES}{'; Secure' if is_https else ''}"}


def network(address: str) -> str:
    """The network address by which a visitor without a cookie counts: "" on this machine, which is its user's own.

    Of IPv6 it is the /64, since a visitor has as many addresses as that has (RFC 4291, 2.5.4).
    """
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
