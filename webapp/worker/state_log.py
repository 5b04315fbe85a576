"""The log of the jobs' states: one line for each change, as the worker sees it."""

import logging
from collections.abc import Iterable

from webapp.jobs.job import Job, JobState

log = logging.getLogger("jobs")


class StateLog:
    """Compares the jobs with their states at the last update, and logs the differences."""

    def __init__(self, jobs: Iterable[Job]):
        self._known = {job.id: job for job in jobs}

    def update(self, jobs: Iterable[Job]) -> None:
        """Log what has changed since the last update."""
        before, self._known = self._known, {job.id: job for job in jobs}
        for job in self._known.values():
            if job.id not in before or before[job.id].state != job.state:
                is_cancelled = job.state == JobState.UPLOADED and job.id in before
                _write(job.id, str(job.state), *(("cancelled", {}) if is_cancelled else _details(job)))
        for job_id in before.keys() - self._known.keys():
            _write(job_id, "deleted", "deleted", {})


def _write(job_id: str, state: str, message: str, values: dict[str, object]) -> None:
    log.info("job %.8s: %s", job_id, message, extra={"values": {"job": job_id, "state": state, **values}})


def _details(job: Job) -> tuple[str, dict[str, object]]:
    """The message about a job that has reached its state, and the values in it for the JSON log."""
    match job.state:
        case JobState.UPLOADED:
            return f"uploaded, {job.seconds:.1f} s of audio", {"audio_seconds": job.seconds}
        case JobState.QUEUED:
            return f"queued for {job.model}", {"model": job.model}
        case JobState.RUNNING:
            return f"running with {job.model}, attempt {job.attempts}", {"model": job.model, "attempt": job.attempts}
        case JobState.DONE:
            seconds = job.finished - job.started
            return f"done in {seconds:.1f} s", {"seconds": round(seconds, 3)}
        case JobState.FAILED:
            return f"failed: {job.error}", {"error": job.error}
    return str(job.state), {}
