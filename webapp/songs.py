"""Your songs: a visitor's own jobs, and new jobs over the source of old ones."""

import os
import shutil
from http import HTTPStatus
from pathlib import Path

from webapp import admission, catalogue, jobs, queue, room
from webapp.jobs import Job
from webapp.refusal import Refusal
from webapp.words import say


def own(visitor: str) -> list[Job]:
    """The visitor's jobs, newest first. Jobs that are nobody's ("") are shown to no one."""
    if not visitor:
        return []
    mine = [job for job in catalogue.everyone() if job.visitor == visitor and job.state != "cancelled"]
    return sorted(mine, key=lambda job: job.created, reverse=True)


def comparable(job: Job, others: list[Job]) -> list[Job]:
    """Those of `others` whose stems can be heard against the job's: other results of the same source."""
    if job.state != "done":
        return []
    return [other for other in others if other.state == "done" and other.id != job.id and _same_source(job, other)]


def partner(job: Job, other_id: str) -> Job:
    """The job to compare with. Raises Refusal: 404 if it is none, 400 if it has not the same source."""
    other = jobs.load(other_id)
    if not comparable(job, [other]):
        raise Refusal(HTTPStatus.BAD_REQUEST, say("Only two results of the same song can be compared."))
    return other


def separate_again(job_id: str, visitor: str, address: str, model: str, stems: str, format_: str) -> Job:
    """Queue a new job of the visitor's over the same source as another; either may be deleted, and the other stays.

    Raises Refusal: 404 if there is no such job, 400 if there is no such choice, 429 if the visitor has too many, 503 if
    the disk is full.
    """
    again = _over_the_same_source(jobs.load(job_id), visitor, address)
    try:
        return queue.enqueue(again.id, model, stems, format_)
    except (Refusal, OSError):
        jobs.delete(again.id)
        raise


def _over_the_same_source(job: Job, visitor: str, address: str) -> Job:
    if job.state == "cancelled":
        raise jobs.no_such_job()
    with admission.incoming() as folder:
        _share(job, folder / jobs.SOURCE)
        about = {"name": job.name, "seconds": job.seconds, "cut_off": job.cut_off}
        return admission.admit(folder, **about, visitor=visitor, address=address, again_of=_first(job))


def _share(job: Job, path: Path) -> None:
    """Give the job's source a second name, or, where the file system has no such thing, make a copy on the disk."""
    room.check(0)
    try:
        os.link(job.source, path)
    except FileNotFoundError:
        raise jobs.no_such_job() from None  # deleted meanwhile
    except OSError:
        room.check(job.source.stat().st_size)
        shutil.copyfile(job.source, path)
        with path.open("r+b") as copy:
            os.fsync(copy.fileno())


def _first(job: Job) -> str:
    return job.again_of or job.id


def _same_source(one: Job, other: Job) -> bool:
    return _first(one) == _first(other)
