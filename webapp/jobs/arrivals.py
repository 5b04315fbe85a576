"""How an upload tells the worker that a song is arriving, so that the worker can prepare its separation."""

from contextlib import suppress

from webapp import paths


def announce() -> None:
    """Tell the worker. A failure, as on a full disk, does not affect the upload."""
    with suppress(OSError):
        paths.ARRIVALS.touch()


def latest() -> int:
    """The time of the latest announcement, in ns; 0 if there was none."""
    with suppress(OSError):
        return paths.ARRIVALS.stat().st_mtime_ns
    return 0
