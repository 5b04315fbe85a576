"""The queue: who is next, who stands where, and how far the running one is."""

import time
from dataclasses import dataclass

from webapp import catalogue, engines, jobs, room, sounds
from webapp.engine import NOTHING_YET, Progress
from webapp.engines import DEFAULT_FORMAT, DEFAULT_MODEL, TWO_STEMS
from webapp.forecast import Forecast
from webapp.jobs import Job

LOG_TAIL_BYTES = 8192
STARTABLE = ("uploaded", "failed")


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

    What is not said is the default. Raises Refusal: 404 if there is no such job, 400 if these choices cannot work,
    503 if the stems would find no room.
    """
    job = jobs.load(job_id)
    choice = engines.choose(model or DEFAULT_MODEL, stems or TWO_STEMS, format or DEFAULT_FORMAT)
    if format == "flac":
        sounds.check_flac(job.source)
    if job.state in STARTABLE:
        _check_room(job, int(stems or TWO_STEMS))
    with jobs.changing(job_id) as job:
        if job.state in STARTABLE:
            job.state, job.attempts, job.error, job.note, job.note_values = "queued", 0, "", "", {}
            job.engine, job.model = choice.engine, choice.name
            job.stems_wanted, job.format = stems or TWO_STEMS, format or DEFAULT_FORMAT
            job.queue_number = 1 + max(other.queue_number for other in catalogue.everyone())
    return job


def _check_room(job: Job, nb_stems: int) -> None:
    try:
        nb_bytes = job.source.stat().st_size
    except FileNotFoundError:
        raise jobs.no_such_job() from None  # deleted meanwhile
    room.check(nb_stems * nb_bytes)


def waiting() -> list[Job]:
    """The jobs that wait, first come first."""
    return _forecast().waiting


def standing(job: Job) -> Standing:
    """Where `job` stands now."""
    if job.state == "queued":
        forecast = _forecast()
        left = forecast.seconds_until_done(job, [_seconds_left(other) for other in forecast.running])
        return Standing(forecast.position(job), seconds_left=left)
    if job.state == "running":
        progress = progress_of(job)
        left = _own_seconds_left(job, progress)
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


def _forecast() -> Forecast:
    """The forecast over all jobs as they stand now, made again only when one of them has changed."""
    global _last_forecast
    forecast, everyone = _last_forecast, catalogue.everyone()
    if forecast.everyone is not everyone:
        forecast = _last_forecast = Forecast(everyone)
    return forecast


_last_forecast = Forecast(())


def _own_seconds_left(job: Job, progress: Progress) -> float | None:
    """Until a running job is done, by its own speed."""
    elapsed = time.time() - (job.begun or job.started)
    if progress.percent <= 0 or elapsed <= 0:  # the clock may have been set back
        return None
    return elapsed * (100 - progress.percent) / progress.percent


def _seconds_left(job: Job) -> float | None:
    """Until a running job is done, by that of earlier jobs as long as it has no speed of its own."""
    progress = progress_of(job)
    if progress.doing == "fetching":
        return None
    left = _own_seconds_left(job, progress)
    return _forecast().seconds(job) if left is None else left
