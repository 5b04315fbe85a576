"""The store of jobs: a folder for each, with an unguessable name and one small state file that is replaced atomically.

There is no other database. Every change of a state is made under one lock, `paths.CHANGES`.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from webapp import atomic, locks, paths
from webapp.errors import JobDeleted, JobNotFound, StemsNotFound
from webapp.jobs import journal
from webapp.jobs.job import JOB_ID, STATE_NAME, Job, JobState

FIELDS = frozenset(field.name for field in fields(Job))
TRASH_PREFIX = ".deleted-"  # of the folder of a deleted job that can still be restored
FORMER_NAMES = {"begun": "model_loaded"}  # of fields, in state files of earlier versions


def load(job_id: str) -> Job:
    """Read a job's state. Raises JobNotFound, or JobDeleted if it can be restored."""
    if not JOB_ID.fullmatch(job_id):
        raise JobNotFound
    try:
        return read(paths.UPLOADS / job_id)
    except JobNotFound:
        if trash_folder(job_id).exists():
            raise JobDeleted(job_id) from None
        raise


def read(folder: Path) -> Job:
    """Read the state of the job in `folder`. Raises JobNotFound if there is none, or its state file is damaged."""
    try:
        return _from_state(json.loads((folder / STATE_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError, AttributeError):
        raise JobNotFound from None


def trash_folder(job_id: str) -> Path:
    """The folder that a job has while it is deleted and can be restored."""
    return paths.UPLOADS / f"{TRASH_PREFIX}{job_id}"


def load_done(job_id: str) -> Job:
    """Read the state of a job that has its stems. Raises JobNotFound, StemsNotFound."""
    job = load(job_id)
    if not job.stems():
        raise StemsNotFound
    return job


def save(job: Job) -> None:
    """Replace a job's state file. Once this returns, neither a kill nor a power cut loses it. Raises OSError."""
    with atomic.replace(job.state_file) as file:
        file.write(json.dumps(asdict(job)).encode())
    journal.record(job.id)


@contextmanager
def changing(job_id: str) -> Iterator[Job]:
    """Read a job, let the block change it, and save it, under the lock. Raises JobNotFound, OSError."""
    with locks.exclusive(paths.CHANGES):
        job = load(job_id)
        yield job
        save(job)


def delete(job_id: str) -> Job:
    """Delete a job and its files. A running job is only marked; the worker ends and removes it. Raises JobNotFound."""
    with locks.exclusive(paths.CHANGES):
        job = load(job_id)
        if job.state in (JobState.RUNNING, JobState.CANCELLED):  # the worker may still have a process for it
            job.move_to(JobState.CANCELLED)
            save(job)
        else:
            _discard(job)
    return job


def is_expired(job: Job, keep_seconds: float) -> bool:
    """Whether a job is not pending and was last used more than `keep_seconds` ago."""
    return not job.is_pending and time.time() - last_use(job) > keep_seconds


def expire(job_id: str, keep_seconds: float) -> bool:
    """Delete a job if it is expired by now, and return whether it was. Raises JobNotFound."""
    with locks.exclusive(paths.CHANGES):
        job = load(job_id)
        expired = is_expired(job, keep_seconds)
        if expired:
            _discard(job)
    return expired


def remove(job_id: str) -> None:
    """Remove a job's files. The state file goes last, so that what a kill leaves behind still belongs to a job."""
    shutil.rmtree(paths.DOWNLOADS / job_id, ignore_errors=True)
    folder = paths.UPLOADS / job_id
    for path in folder.glob("*"):
        if path.name != STATE_NAME:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    journal.record(job_id)


def last_use(job: Job) -> float:
    """When a job last changed or was last downloaded from, as Unix time in seconds. Raises OSError."""
    times = [job.state_file.stat().st_mtime]
    if job.outdir.exists():
        times.append(job.outdir.stat().st_mtime)
    return max(times)


def touch(job: Job) -> None:
    """Record that a job is being downloaded from."""
    with suppress(OSError):  # deleted in the meantime; opening the file will report it
        os.utime(job.outdir)


def _from_state(state: dict[str, Any]) -> Job:
    """Raises ValueError, TypeError or AttributeError for a state that is not a job's."""
    renamed = {FORMER_NAMES.get(key, key): value for key, value in state.items()}
    return Job(**{key: value for key, value in renamed.items() if key in FIELDS})


def _discard(job: Job) -> None:
    """Delete a job that does not run. It is marked first, so that the worker completes a deletion that a kill ends."""
    job.move_to(JobState.CANCELLED)
    with suppress(OSError):  # on a full disk, the mark cannot be written, and deleting makes space
        save(job)
    remove(job.id)
