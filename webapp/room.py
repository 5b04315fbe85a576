"""Room on the disk: looked for before a file is stored, and missed in a plain sentence."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from webapp import catalogue, limits
from webapp.folders import DOWNLOADS, UPLOADS
from webapp.limits import SPARE_DISK_BYTES
from webapp.refusal import Refusal
from webapp.words import say

RETRY_SECONDS = 600


def check(nb_bytes: int) -> None:
    """Raises Refusal (503) if `nb_bytes` more find no room on the disk, or in the songs' share of it.

    What the songs that wait or run will need is theirs already.
    """
    disk = shutil.disk_usage(UPLOADS)
    nb_bytes += promised()
    if disk.free < nb_bytes + SPARE_DISK_BYTES:
        raise _no_room()
    if used() + nb_bytes > disk.total * limits.in_force().max_disk_percent / 100:
        sentence = say("The songs on this machine fill the room that they may take. Please delete one, or come later.")
        raise _later(sentence)


def used() -> int:
    """How many bytes all songs and stems take; a source that jobs share counts once."""
    sizes = {}
    for path in _files():
        with suppress(OSError):  # gone meanwhile
            found = path.stat()
            sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def promised() -> int:
    """How many bytes the stems will take of the songs that wait or run, at most."""
    nb_bytes = 0
    for job in catalogue.everyone():
        if job.state in ("queued", "running"):
            with suppress(OSError):  # gone meanwhile
                nb_bytes += int(job.stems_wanted) * job.source.stat().st_size
    return nb_bytes


@contextmanager
def needed() -> Iterator[None]:
    """A block that writes; a disk that gets full in it raises Refusal (503)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room() from error
        raise


def _files() -> Iterator[Path]:
    for top in (UPLOADS, DOWNLOADS):
        for folder, _, names in os.walk(top):
            yield from (Path(folder, name) for name in names)


def _no_room() -> Refusal:
    return _later(say("There is no room left on this machine's disk for your file."))


def _later(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": str(RETRY_SECONDS)})
