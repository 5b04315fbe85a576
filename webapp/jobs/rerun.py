"""Separating a song again: a new job over the source of an old one."""

import os
import shutil
from pathlib import Path

from webapp import atomic
from webapp.errors import JobNotFound, SeparatorError
from webapp.jobs import admission, disk_space, queue, store
from webapp.jobs.job import Job, JobState


def separate_again(job_id: str, visitor: str, address: str, model: str, stems: str, format: str) -> Job:
    """Queue a new job of the visitor's over the same source as job `job_id`. Deleting one of them keeps the other.

    Raises JobNotFound, ChoiceError, TooManyJobs, DiskFull.
    """
    rerun = _create_rerun(store.load(job_id), visitor, address)
    try:
        return queue.enqueue(rerun.id, model, stems, format)
    except (SeparatorError, OSError):
        store.delete(rerun.id)
        raise


def _create_rerun(job: Job, visitor: str, address: str) -> Job:
    if job.state == JobState.CANCELLED:
        raise JobNotFound
    with admission.upload_folder() as folder:
        _share_source(job, folder)
        return admission.create_job(
            folder,
            name=job.name,
            seconds=job.seconds,
            cut_off=job.cut_off,
            source_remarks=job.source_remarks,
            wav_bytes=job.wav_bytes,
            visitor=visitor,
            address=address,
            again_of=job.again_of or job.id,
        )


def _share_source(job: Job, folder: Path) -> None:
    """Link the job's source to `folder`, or copy it where the file system has no hard links."""
    disk_space.check(0)
    source = job.encoded if job.must_be_decoded else job.source
    path = folder / source.name
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise JobNotFound from None
    except OSError:
        disk_space.reserve(path.parent, source.stat().st_size)
        shutil.copyfile(source, path)
        atomic.sync(path)
