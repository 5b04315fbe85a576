"""The queue: who is next, who stands where, and how far the running one is."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from webapp import engines, jobs, sounds
from webapp.engine import NOTHING_YET, Progress
from webapp.engines import DEFAULT_FORMAT, DEFAULT_MODEL, TWO_STEMS
from webapp.jobs import Job

LOG_TAIL_BYTES = 8192
LATEST = 5  # earlier jobs that tell how long one takes


@dataclass(frozen=True)
class Standing:
    """Where a job stands. `position` is 0 when it does not wait; `seconds_left`, to its end, is None while nothing can
    be said. `elapsed` is how long it runs or ran, in seconds."""

    position: int = 0
    percent: float = 0.0
    seconds_left: float | None = None
    elapsed: float = 0.0
    progress: Progress = NOTHING_YET


def enqueue(job_id: str, model: str = "", stems: str = "", format: str = "") -> Job:
    """Put an uploaded (or failed) job at the end of the queue; one that is further already stays where it is.

    What is not said is the default. Raises Refusal: 404 if there is no such job, 400 if these choices cannot work.
    """
    source = jobs.load(job_id).source
    choice = engines.choose(model or DEFAULT_MODEL, stems or TWO_STEMS, format or DEFAULT_FORMAT)
    if format == "flac":
        sounds.check_flac(source)
    with jobs.changing(job_id) as job:
        if job.state in ("uploaded", "failed"):
            job.state, job.attempts, job.error, job.note, job.note_values = "queued", 0, "", "", {}
            job.engine, job.model = choice.engine, choice.name
            job.stems_wanted, job.format = stems or TWO_STEMS, format or DEFAULT_FORMAT
            job.queue_number = 1 + max(other.queue_number for other in jobs.everyone())
    return job


def waiting() -> list[Job]:
    """The jobs that wait, first come first."""
    return _waiting(jobs.everyone())


def standing(job: Job) -> Standing:
    """Where `job` stands now."""
    if job.state == "queued":
        everyone = jobs.everyone()
        position = 1 + sum(other.queue_number < job.queue_number for other in _waiting(everyone))
        return Standing(position, seconds_left=_seconds_until_done(job, everyone))
    if job.state == "running":
        progress = progress_of(job)
        left = _seconds_left(job, progress, ())
        return Standing(0, progress.percent, left, max(0.0, time.time() - job.started), progress)
    if job.state == "done":
        return Standing(0, 100.0, 0.0, max(0.0, job.finished - job.started))
    return Standing()


def progress_of(job: Job) -> Progress:
    """How far the separation of a running job is."""
    return job.separator().look(end_of_log(job))


def end_of_log(job: Job) -> str:
    """The last that the job's command has said, LOG_TAIL_BYTES at most; empty if it never began."""
    try:
        with job.log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _waiting(everyone: Sequence[Job]) -> list[Job]:
    return sorted((job for job in everyone if job.state == "queued"), key=lambda job: job.queue_number)


def _seconds_left(job: Job, progress: Progress, everyone: Sequence[Job]) -> float | None:
    """Until a running job is done, by its own speed, or before it has one by that of earlier jobs."""
    if progress.percent > 0:
        elapsed = max(0.0, time.time() - (job.begun or job.started))
        return elapsed * (100 - progress.percent) / progress.percent
    return None if progress.doing == "fetching" else _expected_seconds(job, everyone)


def _seconds_until_done(job: Job, everyone: Sequence[Job]) -> float | None:
    """Of a waiting job: the running ones end one after the other, and those before it take their places."""
    ahead = [other for other in _waiting(everyone) if other.queue_number <= job.queue_number]
    running = [other for other in everyone if other.state == "running"]
    ends = [_seconds_left(other, progress_of(other), everyone) for other in running] or [0.0]
    lengths = [_expected_seconds(other, everyone) for other in ahead]
    if None in ends or None in lengths:
        return None
    heapq.heapify(ends)
    for length in lengths:
        end = heapq.heapreplace(ends, ends[0] + length)
    return end + length


def _expected_seconds(job: Job, everyone: Sequence[Job]) -> float | None:
    """How long a separation takes, by the latest jobs of the same kind; None if there was none."""
    alike = [
        other
        for other in everyone
        if other.finished > other.started
        and other.seconds > 0
        and (other.model, other.stems_wanted) == (job.model, job.stems_wanted)
    ]
    latest = sorted(alike, key=lambda other: other.finished)[-LATEST:]
    paces = [(other.finished - (other.begun or other.started)) / other.seconds for other in latest]
    return job.seconds * median(paces) if paces else None
