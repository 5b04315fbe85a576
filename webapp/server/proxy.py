"""What a reverse proxy says about a visitor. It is trusted only with --behind-proxy."""

import ipaddress
from email.message import Message


def address(headers: Message, peer: str) -> str:
    """The visitor's address: the last one in X-Forwarded-For, since the visitor may have written those before it.

    `peer` if there is none.
    """
    last = ",".join(headers.get_all("X-Forwarded-For", [])).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return peer


def prefix(headers: Message) -> str:
    """The path under which visitors reach this server, where the proxy serves it below the root of a site."""
    text: str = headers.get("X-Forwarded-Prefix", "")
    return text.strip()


def is_https(headers: Message) -> bool:
    """Whether the visitor's connection to the proxy uses TLS."""
    protocol: str = headers.get("X-Forwarded-Proto", "")
    return protocol.strip().lower() == "https"
