"""What a proxy in front of the server tells of a visitor; believed only with --behind-proxy."""

import ipaddress
from email.message import Message


def address(headers: Message, peer: str) -> str:
    """The visitor's address: the last that X-Forwarded-For names, since those before it anybody may have written."""
    last = ",".join(headers.get_all("X-Forwarded-For", [])).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return peer


def is_https(headers: Message) -> bool:
    """Whether the visitor speaks TLS with the proxy."""
    return headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
