"""Which models could not be fetched when that was last tried. The worker finds out; pages and scripts read it."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass

from webapp import atomic, paths


@dataclass(frozen=True)
class Availability:
    """The result of a check at the Unix time `checked`, in seconds. Before the first check, nothing is unavailable."""

    checked: float = 0.0
    unavailable: frozenset[str] = frozenset()  # names of models

    def is_older_than(self, seconds: float) -> bool:
        return not 0 <= time.time() - self.checked < seconds  # the clock may have been set back


def load() -> Availability:
    """The latest result, which survives a restart of the server."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        state = json.loads(paths.AVAILABILITY.read_text("utf-8"))
        return Availability(float(state["checked"]), frozenset(state["unavailable"]))
    return Availability()


def save(availability: Availability) -> None:
    """Replace the result. Raises OSError."""
    state = {"checked": availability.checked, "unavailable": sorted(availability.unavailable)}
    with atomic.replace(paths.AVAILABILITY) as file:
        file.write(json.dumps(state).encode())
