"""Room on the disk: looked for before a file is stored, and missed in a plain sentence."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from webapp.folders import UPLOADS
from webapp.limits import SPARE_DISK_BYTES
from webapp.refusal import Refusal
from webapp.words import say


def check(nb_bytes: int) -> None:
    """Raises Refusal (503) if the disk has no room for `nb_bytes` more."""
    if shutil.disk_usage(UPLOADS).free < nb_bytes + SPARE_DISK_BYTES:
        raise _no_room()


@contextmanager
def needed() -> Iterator[None]:
    """A block that writes; a disk that gets full in it raises Refusal (503)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room() from error
        raise


def _no_room() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, say("There is no room left on this machine's disk for your file."))
