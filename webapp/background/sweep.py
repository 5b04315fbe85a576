"""Cleaning up: old jobs, and what a kill left without an owner."""

import logging
import os
import shutil
import time
from contextlib import suppress

from webapp import catalogue, jobs, locks
from webapp.folders import DOWNLOADS, UPLOADS
from webapp.jobs import Job
from webapp.refusal import Refusal

INTERVAL_SECONDS = 60.0
GRACE_SECONDS = 60.0  # a folder that has just been made may not have its lock yet

log = logging.getLogger("worker")


def sweep(keep_seconds: float) -> None:
    """Delete jobs not used for `keep_seconds` that neither wait nor run, and folders that are no job's."""
    now = time.time()
    for job in catalogue.everyone():
        with suppress(OSError, Refusal):  # gone meanwhile
            _count_future_as_now(job, now)
            if jobs.is_expired(job, keep_seconds) and jobs.expire(job.id, keep_seconds):
                log.info("job %.8s: its time is up", job.id)
    _sweep_jobless_uploads(now, keep_seconds)
    _sweep_ownerless_downloads()


def _count_future_as_now(job: Job, now: float) -> None:
    """Where the clock was set back, a job would stay for as much longer."""
    for path in (job.folder / "state.json", job.outdir):
        if path.exists() and path.stat().st_mtime > now:
            os.utime(path)


def _sweep_jobless_uploads(now: float, keep_seconds: float) -> None:
    """Folders whose file never came in whole, and, after their time, those whose state cannot be read."""
    known = {job.id for job in catalogue.everyone()}
    for folder in UPLOADS.iterdir():
        if folder.name in known or not jobs.ID.fullmatch(folder.name):
            continue
        with suppress(OSError):
            limit = keep_seconds if (folder / "state.json").exists() else GRACE_SECONDS
            old = abs(now - folder.stat().st_mtime) > limit  # also when the clock was set back
            if old and not locks.is_held(folder / ".incoming"):
                shutil.rmtree(folder, ignore_errors=True)


def _sweep_ownerless_downloads() -> None:
    for folder in DOWNLOADS.iterdir():
        if jobs.ID.fullmatch(folder.name) and not (UPLOADS / folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
