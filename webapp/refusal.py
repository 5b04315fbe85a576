"""The one way to say no to a visitor."""

from http import HTTPStatus


class Refusal(Exception):
    """A request that is not granted: an HTTP status and one plain sentence for the visitor."""

    def __init__(self, status: HTTPStatus, sentence: str):
        super().__init__(sentence)
        self.status = HTTPStatus(status)
        self.sentence = sentence
