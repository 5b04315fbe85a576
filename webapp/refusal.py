"""The one way to say no to a visitor, and the refusals that are said in more than one place."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from webapp.words import say

NO_HEADERS = MappingProxyType({})


class Refusal(Exception):
    """A request that is not granted: an HTTP status, one plain sentence for the visitor, and headers for programs."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] = NO_HEADERS):
        super().__init__(sentence)
        self.status = HTTPStatus(status)
        self.sentence = sentence
        self.headers = headers


def nothing_here() -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND, say("There is nothing at this address."))


def no_such_file() -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND, say("There is no such file here."))


def stalled() -> Refusal:
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, say("Nothing came for a minute, so the sending was given up."))


def own_fault() -> Refusal:
    sentence = say("Something went wrong on this machine; the server's log says what.")
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
