"""Locks on files. The system lets go of them when their holder ends, however it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICK_NS = 100  # NTFS keeps times in such steps

if os.name == "nt":
    import msvcrt

    def _acquire(descriptor: int, wait: bool) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(descriptor: int, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def acquire(path: Path, wait: bool = True) -> int | None:
    """Lock the file at `path` and return its descriptor, or None if it is held and `wait` is false.

    Closing the descriptor lets go. A child process that inherits it holds the lock too (not on Windows).
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, wait)
    except OSError:
        os.close(descriptor)
        if wait:
            raise
        return None
    return descriptor


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock on `path`; a file that does not exist is held by nobody."""
    if not path.exists():
        return False
    descriptor = acquire(path, wait=False)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path`, and leave in the file's own time another than any holder before."""
    descriptor = acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):
            _advance_time(path, os.fstat(descriptor).st_mtime_ns)
        os.close(descriptor)


def _advance_time(path: Path, before: int) -> None:
    """Two changes within one tick of the system's clock must not look like one."""
    later = max(time.time_ns(), before + TICK_NS)
    os.utime(path, ns=(later, later))
