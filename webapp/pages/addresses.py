"""The addresses in pages, redirects and JSON, with the path under which a proxy serves the application."""

import re
from contextvars import ContextVar

PREFIX = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)
# An attribute of a template whose value is an address of this server.
ADDRESS = re.compile(r'(?<=\s)(href|src|action|formaction|poster|data-[a-z-]+)="/(?!/)')

prefix: ContextVar[str] = ContextVar("prefix", default="")


def set_prefix(text: str) -> None:
    """Set the prefix of this request's addresses; any text that is no path means none."""
    text = text.rstrip("/")
    prefix.set(text if PREFIX.fullmatch(text) else "")


def address(route: str) -> str:
    """The address of a route of this server, which starts with "/"."""
    return prefix.get() + route


def with_prefix(template: str) -> str:
    """A template whose addresses start with the prefix."""
    return ADDRESS.sub(rf'\1="{prefix.get()}/', template) if prefix.get() else template
