"""Visitors: a browser is recognised by a cookie of random bits, so that it is shown its own jobs and no others.

Jobs store only the cookie's hash: reading a job's state does not allow anyone to pose as its visitor. A cookie is taken
for a visitor's only if a job has its hash, so that nobody can choose another's cookie beforehand.
"""

import hashlib
import ipaddress
import re
import secrets

from webapp.jobs import visitor_jobs

YEAR_SECONDS = 365 * 24 * 3600
SECRET_BYTES = 32
NAME, TLS_NAME = "visitor", "__Host-visitor"  # the prefix: set by this host itself, and over TLS (RFC 6265bis, 4.1.3)
COOKIE = re.compile(
    rf"(?:^|;)[ \t]*({NAME}|{TLS_NAME})=([0-9a-f]{{{2 * SECRET_BYTES}}})[ \t]*(?=;|$)"
)  # RFC 6265, 4.2.1
ATTRIBUTES = f"HttpOnly; SameSite=Strict; Path=/; Max-Age={YEAR_SECONDS}"


def known_visitor(cookies: str, is_https: bool) -> str:
    """The visitor that a `Cookie` header identifies: the SHA-256 of the cookie in hexadecimal.

    "" if it identifies none, or several, of which all but one must come from someone else.
    """
    known = [visitor for visitor in claimed_visitors(cookies, is_https) if visitor_jobs.has_jobs(visitor)]
    return known[0] if len(known) == 1 else ""


def claimed_visitors(cookies: str, is_https: bool) -> set[str]:
    """All that a `Cookie` header may identify."""
    name = TLS_NAME if is_https else NAME
    return {_hash(secret) for found, secret in COOKIE.findall(cookies) if found == name}


def identify(cookies: str, is_https: bool) -> tuple[str, dict[str, str]]:
    """The visitor, and the headers that set the cookie of a new one.

    A cookie that is set over HTTPS is never sent without it.
    """
    if visitor := known_visitor(cookies, is_https):
        return visitor, {}
    secret = secrets.token_hex(SECRET_BYTES)
    start = f"{TLS_NAME}={secret}; Secure" if is_https else f"{NAME}={secret}"
    return _hash(secret), {"Set-Cookie": f"{start}; {ATTRIBUTES}"}


def network(address: str) -> str:
    """The network of a visitor's IP address, for limits; "" on this machine, which has none.

    For IPv6 it is the /64 prefix, since a visitor has all addresses of it (RFC 4291, section 2.5.4).
    """
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
