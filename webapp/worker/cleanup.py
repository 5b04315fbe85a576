"""Cleaning up: expired jobs, and files that a kill has left without a job."""

import logging
import os
import shutil
import time
from contextlib import suppress

from webapp import locks, paths
from webapp.errors import JobNotFound
from webapp.jobs import catalogue, disk_space, store, trash
from webapp.jobs.job import JOB_ID, STATE_NAME, Job
from webapp.limits import Limits

log = logging.getLogger("worker")


def clean_up(limits: Limits) -> None:
    """Delete expired jobs, and folders that belong to no job."""
    now, keep_seconds = time.time(), limits.keep_hours * 3600
    for job in catalogue.all_jobs():
        with suppress(OSError, JobNotFound):  # deleted in the meantime
            _correct_future_times(job, now)
            if store.is_expired(job, keep_seconds) and store.expire(job.id, keep_seconds):
                log.info("job %.8s: expired", job.id)
    trash.remove_older_than(limits.undo_seconds)
    _remove_incomplete_uploads(now, limits)
    _remove_downloads_without_job()


def _correct_future_times(job: Job, now: float) -> None:
    """Set times in the future to now: after the clock was set back, the job would be kept for too long."""
    for path in (job.state_file, job.outdir):
        if path.exists() and path.stat().st_mtime > now:
            os.utime(path)


def _remove_incomplete_uploads(now: float, limits: Limits) -> None:
    """Remove folders whose upload was never completed, and expired ones whose state file is damaged."""
    known = {job.id for job in catalogue.all_jobs()}
    for folder in paths.UPLOADS.iterdir():
        if folder.name in known or not JOB_ID.fullmatch(folder.name):
            continue
        with suppress(OSError):
            has_state = (folder / STATE_NAME).exists()
            seconds = limits.keep_hours * 3600 if has_state else limits.cleanup_grace_seconds
            is_old = abs(now - folder.stat().st_mtime) > seconds  # either way: the clock may have been set back
            if is_old and not locks.is_held(folder / disk_space.INCOMING):
                shutil.rmtree(folder, ignore_errors=True)


def _remove_downloads_without_job() -> None:
    for folder in paths.DOWNLOADS.iterdir():
        job_folders = (paths.UPLOADS / folder.name, store.trash_folder(folder.name))
        if JOB_ID.fullmatch(folder.name) and not any(path.exists() for path in job_folders):
            shutil.rmtree(folder, ignore_errors=True)
