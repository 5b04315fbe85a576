"""A value that takes a moment to look up: it is kept, and a process that stays renews it in the background."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

OLD_SECONDS = 5.0  # after which `renew` looks up again in the background
STALE_SECONDS = 60.0  # after which the next `get` waits for that

T = TypeVar("T")


class Lookup(Generic[T]):
    """The latest result of `look_up`, a function that may raise OSError. Many threads may ask for it."""

    def __init__(self, look_up: Callable[[], T]) -> None:
        self._look_up = look_up
        self._latest: list[T] = []  # empty, or the result
        self._looked_up = 0.0  # monotonic s
        self._lock = threading.Lock()

    def get(self) -> T:
        """The result that is kept, or a new one. Raises OSError."""
        with self._lock:
            if not self._latest:
                self._replace()
            return self._latest[0]

    def clear(self) -> None:
        """Let the next `get` look up again."""
        with self._lock:
            self._latest = []

    def renew(self) -> None:
        """See to it that the result is not too old."""
        age = time.monotonic() - self._looked_up
        if age > STALE_SECONDS:
            self.clear()
        elif age > OLD_SECONDS:
            self._looked_up = time.monotonic()
            threading.Thread(target=self._replace_if_possible, daemon=True).start()

    def _replace(self) -> None:
        self._latest, self._looked_up = [self._look_up()], time.monotonic()

    def _replace_if_possible(self) -> None:
        with suppress(OSError):
            self._replace()
