"""The journal: what becomes of the jobs, a line of the log for each step, as the worker sees it."""

import logging
from collections.abc import Iterable

from webapp.jobs import Job

log = logging.getLogger("jobs")


class Journal:
    """Compares the jobs with what they were at the last look."""

    def __init__(self, everyone: Iterable[Job]):
        self.known = {job.id: job for job in everyone}

    def look(self, everyone: Iterable[Job]) -> None:
        """Write down what is new since the last look."""
        before, self.known = self.known, {job.id: job for job in everyone}
        for job in self.known.values():
            if job.id not in before or before[job.id].state != job.state:
                _write(job.id, job.state, *_told(job))
        for job_id in before.keys() - self.known.keys():
            _write(job_id, "deleted", "deleted", {})


def _write(job_id: str, state: str, words: str, values: dict[str, object]) -> None:
    log.info("job %.8s: %s", job_id, words, extra={"values": {"job": job_id, "state": state, **values}})


def _told(job: Job) -> tuple[str, dict[str, object]]:
    """What there is to say of a job that has come to its state: in words, and as values."""
    match job.state:
        case "uploaded":
            return f"uploaded, {job.seconds:.1f} s of audio", {"audio_seconds": job.seconds}
        case "queued":
            return f"queued for {job.model}", {"model": job.model}
        case "running":
            return f"running with {job.model}, attempt {job.attempts}", {"model": job.model, "attempt": job.attempts}
        case "done":
            seconds = job.finished - job.started
            return f"done in {seconds:.1f} s", {"seconds": round(seconds, 3)}
        case "failed":
            return f"failed: {job.error}", {"error": job.error}
    return job.state, {}
