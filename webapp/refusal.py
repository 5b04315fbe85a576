"""The one way to say no to a visitor."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

NO_HEADERS = MappingProxyType({})


class Refusal(Exception):
    """A request that is not granted: an HTTP status, one plain sentence for the visitor, and headers for programs."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] = NO_HEADERS):
        super().__init__(sentence)
        self.status = HTTPStatus(status)
        self.sentence = sentence
        self.headers = headers
