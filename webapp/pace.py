"""The pace that is expected of a client that sends or reads much, so that it does not keep a slot from others."""

from webapp.limits import Limits


class Pace:
    """How long a client may still keep this process waiting.

    It starts with `first_seconds`, and each byte adds the time that it may take at `min_bytes_per_second`. What a fast
    client gains never exceeds `idle_seconds`, so that no client can stop for longer than that.
    """

    def __init__(self, limits: Limits):
        self._bytes_per_second = limits.min_bytes_per_second
        self._most_seconds = float(limits.idle_seconds)
        self.seconds_left = min(limits.first_seconds, self._most_seconds)

    def count(self, nb_bytes: int, seconds: float) -> None:
        """Note that `nb_bytes` were transferred after this process had waited for the client for `seconds`."""
        left = self.seconds_left - seconds + nb_bytes / self._bytes_per_second
        self.seconds_left = min(left, self._most_seconds)

    @property
    def is_too_slow(self) -> bool:
        return self.seconds_left <= 0
