"""How many seconds of audio have been separated here since the installation. Only the worker adds to it."""

import logging
from contextlib import suppress

from webapp import atomic, paths

log = logging.getLogger("worker")


def seconds() -> float:
    """The number of seconds; 0 if it was never written or cannot be read."""
    with suppress(OSError, ValueError):
        return float(paths.SEPARATED_AUDIO.read_text("ascii"))
    return 0.0


def add(more: float) -> None:
    """Add `more` seconds. If that fails, it is logged, and the separation is not affected."""
    total = seconds() + more
    try:
        with atomic.replace(paths.SEPARATED_AUDIO) as file:
            file.write(f"{total:.3f}\n".encode("ascii"))
    except OSError as error:
        log.error("%.0f s of separated audio could not be counted: %s", more, error)
