"""One HTTP request, after its head was read and checked."""

from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qs

from webapp.pages.rendering import JSON


@dataclass(frozen=True)
class Request:
    """`address` is the visitor's, also behind a proxy; `body_length` is in bytes, None for a body in chunks."""

    method: str
    route: str
    query: str
    headers: Message
    body_length: int | None
    address: str
    is_https: bool

    @property
    def has_body(self) -> bool:
        return self.body_length != 0

    @property
    def cookies(self) -> str:
        return self.header("Cookie")

    @property
    def wants_json(self) -> bool:
        return JSON in self.header("Accept")

    def field(self, name: str) -> str:
        """The value of a field of the query; empty if there is none of this name."""
        return parse_qs(self.query).get(name, [""])[0]

    def header(self, name: str) -> str:
        """The value of a header; empty if the request has none of this name."""
        value: str = self.headers.get(name, "")
        return value
