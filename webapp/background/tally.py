"""The tally: how many seconds of audio have been separated here, over all starts; the worker alone counts."""

import logging
from contextlib import suppress

from webapp.folders import UPLOADS

TALLY = UPLOADS / ".separated"

log = logging.getLogger("worker")


def seconds() -> float:
    """The count; it begins at 0, also where it cannot be read."""
    with suppress(OSError, ValueError):
        return float(TALLY.read_text("ascii"))
    return 0.0


def add(more: float) -> None:
    """Count `more` seconds. That they cannot be written spoils no separation."""
    beside = TALLY.with_name(".separated.new")
    try:
        beside.write_text(f"{seconds() + more:.3f}\n", "ascii")
        beside.replace(TALLY)
    except OSError as error:
        log.error("%.0f s of audio could not be counted: %s", more, error)
