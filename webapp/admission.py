"""How a file becomes a job: a folder while it comes in, and whether its visitor may have one more."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from webapp import catalogue, limits, locks
from webapp.folders import CHANGES, UPLOADS
from webapp.jobs import Job, save, sync
from webapp.refusal import Refusal
from webapp.words import say


@contextmanager
def incoming() -> Iterator[Path]:
    """A new job's folder, for a file that is being sent; it goes away if the block raises."""
    folder = UPLOADS / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    lock = locks.acquire(folder / ".incoming")
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def admit(folder: Path, **about: object) -> Job:
    """Make the checked file in an incoming folder a job, `about` its fields: from here on it is not lost.

    Raises Refusal (429) if its visitor has too many.
    """
    job = Job(id=folder.name, state="uploaded", created=time.time(), **about)
    with locks.exclusive(CHANGES):
        check_number(job.visitor, job.address)
        save(job)
        sync(UPLOADS)
    return job


def check_number(visitor: str, address: str) -> None:
    """Raises Refusal (429) if this visitor, or this address, has as many songs waiting here as anybody may."""
    if not (visitor or address):
        return
    most = limits.in_force().max_songs
    waiting = [job for job in catalogue.everyone() if job.state in ("uploaded", "queued", "running")]
    if sum(job.visitor == visitor != "" or job.address == address != "" for job in waiting) >= most:
        sentence = say(
            "{number} songs of yours wait here already. Please wait until one is separated, or delete one.", number=most
        )
        raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, sentence, {"Retry-After": "60"})
