"""The next state of a job, from the exit status of its separation."""

import logging
import time

from webapp.engines.choices import Choice
from webapp.jobs import progress
from webapp.jobs.job import Job, JobState
from webapp.translation import mark_for_translation
from webapp.worker import fallback
from webapp.worker.separation import Separation

LOST = -1  # as if a signal had ended it
NOT_LAUNCHED = 256  # which no process exits with
SCHEDULER_DOWN = mark_for_translation(
    "The machines that separate songs cannot be reached at the moment. This song waits until they can."
)

log = logging.getLogger("worker")


def status_of(job: Job, ended: Separation, status: int) -> int:
    """The exit status of the engine's command: `status`, or what the launcher on another machine has reported.

    If it was launched there and reported nothing, its machine died. If it was not launched, this is NOT_LAUNCHED.
    """
    if not ended.is_remote:
        return status
    if not progress.was_launched(job):
        return NOT_LAUNCHED
    reported = progress.launched_status(job)
    return LOST if reported is None else reported


def settle(job: Job, status: int, replacement: Choice | None, max_attempts: int) -> None:
    """Give a running job the state that follows from the exit status of its separation. Raises EngineNotFound."""
    engine = job.find_engine()
    if status == 0 and all(path.is_file() for path in job.stem_paths().values()):
        job.move_to(JobState.DONE)
        job.finished = time.time()
        job.stem_remarks = engine.remarks(progress.log_tail(job))
    elif status == 0:
        job.fail(engine.failure_reason(1))
    elif status == NOT_LAUNCHED:
        _wait_for_scheduler(job)
    elif replacement:
        fallback.fall_back(job, replacement)
        job.move_to(JobState.QUEUED)
        job.attempts = 0
    elif status < 0 and job.attempts < max_attempts:
        job.move_to(JobState.QUEUED)
    else:
        written = progress.log_tail(job)
        job.fail(engine.failure_reason(status, written))
        job.lacks_weights = engine.lacks_weights(status, written)
        log.error("job %.8s: %s", job.id, _last_line(job))


def clear_note(job: Job) -> None:
    """Remove the note about the scheduler from a job that starts now."""
    if job.note == SCHEDULER_DOWN:
        job.note = ""


def _wait_for_scheduler(job: Job) -> None:
    """Put the job back into the queue. The attempt does not count, since the song was not to blame."""
    log.error("job %.8s: the command of --run-with failed: %s", job.id, _last_line(job))
    job.move_to(JobState.QUEUED)
    job.attempts, job.note, job.note_values = job.attempts - 1, SCHEDULER_DOWN, {}


def _last_line(job: Job) -> str:
    return progress.log_tail(job).split("\r")[-1].strip()
