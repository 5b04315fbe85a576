"""The queue: who is next, who stands where, and how far the running one is."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from webapp import jobs
from webapp.engines import MODELS
from webapp.jobs import Job
from webapp.refusal import Refusal
from webapp.words import say

LOG_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Standing:
    """Where a job stands. `position` is 0 when it does not wait; `seconds_left` is None while nothing can be said.

    `doing` says what its separation does now, in words; `elapsed` is how long it runs or ran, in seconds.
    """

    position: int
    percent: float
    seconds_left: float | None
    elapsed: float = 0.0
    doing: str = ""


def enqueue(job_id: str, model: str = "", stems: str = "", format: str = "") -> Job:
    """Put an uploaded (or failed) job at the end of the queue; one that is further already stays where it is.

    Raises Refusal: 404 if there is no such job, 400 if there is no such model.
    """
    if model and model not in MODELS:
        sentence = say("There is no such model here. There are: {models}.", models=", ".join(MODELS))
        raise Refusal(HTTPStatus.BAD_REQUEST, sentence)
    with jobs.changing(job_id) as job:
        if job.state in ("uploaded", "failed"):
            job.state, job.attempts, job.error, job.note = "queued", 0, "", ""
            job.model = model or job.model
            job.stems_wanted, job.format = stems or job.stems_wanted, format or job.format
            job.queue_number = 1 + max(other.queue_number for other in jobs.everyone())
    return job


def waiting() -> list[Job]:
    """The jobs that wait, first come first."""
    return sorted((job for job in jobs.everyone() if job.state == "queued"), key=lambda job: job.queue_number)


def standing(job: Job) -> Standing:
    """Where `job` stands now."""
    if job.state == "queued":
        return Standing(1 + sum(other.queue_number < job.queue_number for other in waiting()), 0.0, None)
    if job.state == "done":
        return Standing(0, 100.0, 0.0, job.finished - job.started)
    if job.state == "running":
        percent, elapsed = job.separator().percent(end_of_log(job)), time.time() - job.started
        return Standing(0, percent, _seconds_left(percent, elapsed), elapsed, "separating")
    return Standing(0, 0.0, None)


def end_of_log(job: Job) -> str:
    """The last that the job's command has said, LOG_TAIL_BYTES at most; empty if it never began."""
    try:
        with job.log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _seconds_left(percent: float, elapsed: float) -> float | None:
    if percent <= 0:
        return None
    return max(0.0, elapsed * (100 - percent) / percent)
