"""Deleted jobs that can still be restored: for a while, each keeps its files, in a folder under another name."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from webapp import atomic, locks, paths
from webapp.errors import JobNotFound
from webapp.jobs import journal, store
from webapp.jobs.job import JOB_ID, STATE_NAME, Job, JobState


def discard(job_id: str) -> Job:
    """Delete a job so that `restore` can undo it. A job with a process is deleted for good. Raises JobNotFound."""
    with locks.exclusive(paths.CHANGES):
        job = store.load(job_id)
        if not job.is_pending and job.state != JobState.CANCELLED and _set_aside(job):
            return job
    return store.delete(job_id)


def restore(job_id: str) -> Job:
    """Undo the deletion of a job. Raises JobNotFound if that is not possible any more."""
    with locks.exclusive(paths.CHANGES):
        job = find(job_id)
        if job is None:
            raise JobNotFound
        store.trash_folder(job_id).rename(job.folder)
        os.utime(job.state_file)  # otherwise it could expire at once
        journal.record(job_id)
        atomic.sync(paths.UPLOADS)
    return job


def find(job_id: str) -> Job | None:
    """The deleted job `job_id`, if it can be restored."""
    with suppress(JobNotFound):
        return store.read(store.trash_folder(job_id)) if JOB_ID.fullmatch(job_id) else None
    return None


def remove_older_than(seconds: float) -> None:
    """Remove the files of all jobs that were deleted more than `seconds` ago."""
    for folder in _folders():
        with suppress(OSError):  # restored in the meantime
            if abs(time.time() - folder.stat().st_mtime) > seconds:  # either way: the clock may have been set back
                _remove(folder)


def empty() -> bool:
    """Remove the files of all deleted jobs, as their space is needed. Returns whether there were any."""
    folders = list(_folders())
    for folder in folders:
        _remove(folder)
    return bool(folders)


def _set_aside(job: Job) -> bool:
    """Rename the job's folder. False if that is not possible, as on Windows while one of its files is open."""
    try:
        os.utime(job.folder)  # the time of the deletion
        job.folder.rename(store.trash_folder(job.id))
    except OSError:
        return False
    journal.record(job.id)
    with suppress(OSError):
        atomic.sync(paths.UPLOADS)
    return True


def _folders() -> Iterator[Path]:
    return paths.UPLOADS.glob(f"{store.TRASH_PREFIX}*")


def _remove(folder: Path) -> None:
    """Remove a deleted job's files. The state goes first, so that what a kill leaves behind cannot be restored."""
    with locks.exclusive(paths.CHANGES):
        (folder / STATE_NAME).unlink(missing_ok=True)
        shutil.rmtree(paths.DOWNLOADS / folder.name.removeprefix(store.TRASH_PREFIX), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
