"""How a file becomes a job, or a deleted job one again: its folder, and the limit on the jobs of one visitor."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from webapp import atomic, limits, locks, paths
from webapp.errors import TooManyJobs
from webapp.jobs import catalogue, disk_space, trash
from webapp.jobs.job import Job, JobState
from webapp.jobs.store import save
from webapp.translation import translate


@contextmanager
def upload_folder(nb_bytes: int = 0) -> Iterator[Path]:
    """Make the folder of a new job, for an upload of `nb_bytes` in all. It is removed if the block raises.

    Raises DiskFull, OSError.
    """
    folder = paths.UPLOADS / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    lock = locks.acquire(folder / disk_space.INCOMING)
    try:
        if nb_bytes:
            disk_space.reserve(folder, nb_bytes)
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def create_job(folder: Path, **fields: Any) -> Job:
    """Make a job of the checked file in an upload folder. Once this returns, the job is not lost.

    `fields` are those of `Job`. Raises TooManyJobs, OSError.
    """
    job = Job(id=folder.name, state=JobState.UPLOADED, created=time.time(), **fields)
    with locks.exclusive(paths.CHANGES):
        check_job_count(job.visitor, job.address)
        save(job)
        atomic.sync(paths.UPLOADS)
    return job


def readmit(job_id: str) -> Job:
    """Undo the deletion of a job. Raises JobNotFound, TooManyJobs."""
    job = trash.find(job_id)
    if job and job.is_unfinished:
        check_job_count(job.visitor, job.address)
    return trash.restore(job_id)


def check_job_count(visitor: str, address: str) -> None:
    """Raise TooManyJobs if this visitor, or this address, has as many unfinished jobs as the limit allows."""
    if not (visitor or address):
        return
    limit = limits.current().max_songs
    unfinished = [job for job in catalogue.all_jobs() if job.is_unfinished]
    if sum(job.visitor == visitor != "" or job.address == address != "" for job in unfinished) >= limit:
        raise TooManyJobs(
            translate(
                "You already have {number} songs here that are not separated yet. "
                "Please wait until one is separated, or delete one.",
                number=limit,
            )
        )
