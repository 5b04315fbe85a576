"""Locks on files. The operating system releases them when their holder ends, however it ends."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICK_NS = 100  # the resolution of times on NTFS

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, wait: bool) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def acquire(path: Path) -> int:
    """Wait for the lock on the file at `path`, and return the file's descriptor. Raises OSError.

    Closing the descriptor releases the lock. A child process that inherits it holds the lock too (not on Windows).
    """
    descriptor = _open(path)
    try:
        _lock(descriptor, wait=True)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def try_acquire(path: Path) -> int | None:
    """The same without waiting: None if the lock is held."""
    descriptor = _open(path)
    try:
        _lock(descriptor, wait=False)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: Path) -> bool:
    """Whether the lock on `path` is held. False if there is no such file."""
    if not path.exists():
        return False
    descriptor = try_acquire(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` in the block. On release, advance the file's mtime past every earlier holder's."""
    descriptor = acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):
            _advance_mtime(path, os.fstat(descriptor).st_mtime_ns)
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _advance_mtime(path: Path, before: int) -> None:
    """Two changes within one tick of the system's clock must not look like one."""
    now = max(time.time_ns(), before + TICK_NS)
    os.utime(path, ns=(now, now))
