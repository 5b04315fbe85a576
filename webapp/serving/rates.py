"""How often an address may do a thing."""

import threading
import time
from collections import Counter
from http import HTTPStatus

from webapp.refusal import Refusal
from webapp.words import say

WINDOW_SECONDS = 60


class Rate:
    """At most `most` times a minute for each address; what is remembered goes with the minute."""

    def __init__(self, most: int, sentence: str):
        self.most = most
        self.sentence = sentence  # a key to its translation
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def spend(self, address: str) -> None:
        """Count once more. Raises Refusal (429) if the address has used its minute up."""
        with self._lock:
            self._check(address)
            self._counts[address] += 1

    def check(self, address: str) -> None:
        """Raises Refusal (429) if the address has used its minute up."""
        with self._lock:
            self._check(address)

    def _check(self, address: str) -> None:
        left = self._turn()
        if self._counts[address] >= self.most:
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, say(self.sentence), {"Retry-After": str(left)})

    def _turn(self) -> int:
        """Begin a new minute if it is time to; how many seconds this one still has."""
        window, passed = divmod(int(time.monotonic()), WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._counts.clear()
        return WINDOW_SECONDS - passed
