"""A limit on how often a network may do something."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from webapp.pages.http_errors import HTTPError
from webapp.translation import translate

WINDOW_SECONDS = 60


class RateLimit:
    """At most `limit` times per minute for each network. Nothing is remembered longer than that minute."""

    def __init__(self, limit: int, sentence: str, clock: Callable[[], float] = time.monotonic):
        """`sentence` is for visitors who exceed the limit, a key to its translation."""
        self._limit = limit
        self._sentence = sentence
        self._clock = clock
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def spend(self, network: str) -> None:
        """Count once more. Raises HTTPError (429) if the network has reached the limit."""
        with self._lock:
            self._check(network)
            self._counts[network] += 1

    def check(self, network: str) -> None:
        """Raise HTTPError (429) if the network has reached the limit."""
        with self._lock:
            self._check(network)

    def _check(self, network: str) -> None:
        seconds_left = self._update_window()
        if self._counts[network] >= self._limit:
            headers = {"Retry-After": str(seconds_left)}
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, translate(self._sentence), headers)

    def _update_window(self) -> int:
        """Start a new minute when it is time, and return how many seconds the present one still has."""
        window, passed = divmod(int(self._clock()), WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._counts.clear()
        return WINDOW_SECONDS - passed
