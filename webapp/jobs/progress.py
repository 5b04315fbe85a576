"""How far a running separation is, as its log says."""

import re

from webapp.engines.engine import NOTHING_YET, Progress
from webapp.errors import EngineNotFound
from webapp.jobs.job import Job

LOG_TAIL_BYTES = 8192
LOG_HEAD_BYTES = 64 << 10  # within which the launcher's line stands
LAUNCHED = b"launched on "  # as webapp.worker.launcher writes it, like the next one
ENDED = re.compile(r"\nended with status (-?\d+)\n")


def progress_of(job: Job) -> Progress:
    """The progress of a job's separation; NOTHING_YET if its engine was removed from the table."""
    try:
        return job.find_engine().parse_progress(log_tail(job))
    except EngineNotFound:
        return NOTHING_YET


def log_tail(job: Job) -> str:
    """The last LOG_TAIL_BYTES of what the job's command has written; empty if it never started."""
    try:
        with job.log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def was_launched(job: Job) -> bool:
    """Whether a job's command began on the machine that the scheduler chose; False if the scheduler itself failed."""
    try:
        with job.log.open("rb") as log:
            return LAUNCHED in log.read(LOG_HEAD_BYTES)
    except OSError:
        return False


def launched_status(job: Job) -> int | None:
    """The exit status of a job's command on the machine that the scheduler chose; None if its end was not seen."""
    ends = ENDED.findall(log_tail(job))
    return int(ends[-1]) if ends else None
