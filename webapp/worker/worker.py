"""The worker: runs queued jobs, has the pictures of finished ones drawn, and has expired ones deleted."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ParamSpec, TypeVar

from audiofiles import metadata
from webapp import atomic, locks, paths
from webapp.engines import availability
from webapp.errors import EngineNotFound, JobNotFound
from webapp.jobs import arrivals, catalogue, progress, queue, separated_audio, store
from webapp.jobs.job import Job, JobState
from webapp.limits import Limits
from webapp.translation import mark_for_translation
from webapp.worker import cleanup, decoding, fallback, outcome, separation
from webapp.worker.decoding import Decoding
from webapp.worker.model_check import ModelCheck
from webapp.worker.neutral_paths import collect_stems, remove_all
from webapp.worker.picture_scheduler import PictureScheduler
from webapp.worker.prefix_check import PrefixCheck
from webapp.worker.separation import Separation, TagCopy
from webapp.worker.state_log import StateLog
from webapp.worker.warming import Warming

POLL_SECONDS = 0.05
ENGINE_REMOVED = mark_for_translation(
    "The engine that this song was queued for was removed from this server. Please choose another model."
)

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("worker")


class Worker:
    """Runs queued jobs, `nb_workers` at a time, in the order of the queue."""

    def __init__(self, nb_workers: int, limits: Limits, run_with: Sequence[str] = ()):
        self.nb_workers = nb_workers
        self.limits = limits
        self.run_with = run_with  # the command by which engines run on other machines; empty for this one
        self.paused_until = 0.0  # monotonic s; no separation is started before, since the scheduler did not answer
        self.running: dict[str, Separation] = {}
        self.pictures = PictureScheduler()
        self.state_log = StateLog(catalogue.all_jobs())
        self.model_check = ModelCheck()
        self.prefix_check = PrefixCheck(run_with)
        self.warming = Warming(limits)
        self.arrived = arrivals.latest()  # the latest upload that was noticed
        self.seen: Sequence[Job] | None = None  # all jobs, as they were last looked at
        self.cleaned = -float("inf")  # when the last clean-up was, monotonic s
        self.error: OSError | None = None  # the latest one of this step

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then put running jobs back into the queue."""
        remove_all()
        self._attempt(self.model_check.start)
        self._attempt(_end_leftovers)
        while not stop.wait(POLL_SECONDS):
            try:
                self._step()
            except OSError:  # a full disk, for example: what could not be written is tried again
                log.exception("retrying in %g s", self.limits.retry_seconds)
                stop.wait(self.limits.retry_seconds)
        separation.stop(*self.running.values())
        for job_id in self.running:
            _put_back(job_id)
        self.pictures.stop()
        self.model_check.stop()
        self.prefix_check.stop()
        self.warming.stop()
        self.warming.stop_waiting_processes()

    def _step(self) -> None:
        self.error = None
        for ended in list(self.running.values()):
            if (status := ended.status) is not None:
                finish = self._finish_decoding if isinstance(ended, Decoding) else self._finish
                self._attempt(finish, ended, status)
        for hung in [one for one in self.running.values() if one.seconds > self.limits.max_job_hours * 3600]:
            self._attempt(self._time_out, hung)
        for starting in [one for one in self.running.values() if not one.has_begun]:
            self._attempt(_note_beginning, starting)
        self._attempt(self.model_check.step)
        self.prefix_check.step()
        if (arrived := arrivals.latest()) != self.arrived:
            self.arrived = arrived
            self._attempt(self._prepare)
        if self.paused_until and time.monotonic() > self.paused_until:
            self.paused_until, self.seen = 0.0, None
        if not self.warming.is_running() and (jobs := catalogue.all_jobs()) is not self.seen:
            self.seen = jobs
            self._look(jobs)
        self.pictures.step()
        if time.monotonic() - self.cleaned > self.limits.cleanup_seconds:
            self.cleaned = time.monotonic()
            self._attempt(cleanup.clean_up, self.limits)
        if self.error:
            raise self.error

    def _prepare(self) -> None:
        """A song is arriving: load the model that will probably separate it in the meantime.

        Nothing is loaded while a song is being separated, since the process of that one waits for the next song.
        """
        if availability.load().is_older_than(self.limits.model_retry_seconds):
            self.model_check.start()
        if not self.running and not self.run_with:
            self.warming.start()

    def _attempt(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a function about one job. If it raises OSError, the others go on, and it is tried again next step."""
        try:
            return function(*args, **kwargs)
        except OSError as error:
            self.error, self.seen = error, None
            return None

    def _look(self, jobs: Sequence[Job]) -> None:
        """React to what has changed."""
        self.pictures.update(jobs)
        self.state_log.update(jobs)
        for job_id in [job_id for job_id in self.running if _is_cancelled(job_id)]:
            self._end(job_id)
        for job in jobs:
            if job.state == JobState.CANCELLED:
                self._attempt(self._cancel, job)
            elif job.state == JobState.RUNNING and job.id not in self.running and not self._attempt(self._recover, job):
                self.seen = None
        for job in queue.in_order(catalogue.all_jobs()):
            if len(self.running) >= self.nb_workers or self.paused_until:
                break
            self._attempt(self._start, job.id)

    def _start(self, job_id: str) -> None:
        try:
            replacement = fallback.early_replacement(store.load(job_id))
            with store.changing(job_id) as job:
                if job.state != JobState.QUEUED:
                    return
                if replacement:
                    fallback.fall_back(job, replacement)
                outcome.clear_note(job)
                job.move_to(JobState.RUNNING)
                job.started, job.model_loaded, job.attempts = time.time(), 0.0, job.attempts + 1
            self._start_process(job)
        except JobNotFound:
            pass  # deleted in the meantime
        except EngineNotFound:
            _fail(job_id, ENGINE_REMOVED)

    def _start_process(self, job: Job) -> None:
        try:
            if job.must_be_decoded:
                self.running[job.id] = Decoding(job)
            else:
                self.running[job.id] = Separation(job, job.find_engine().run_with or self.run_with)
                self.warming.engines.add(job.engine)
        except OSError as error:
            log.error("job %.8s: cannot start: %s", job.id, error)
            _fail(job.id, mark_for_translation("The separation could not be started. The server's log has the reason."))

    def _finish(self, ended: Separation, status: int) -> None:
        """Turn the end of a separation, with the exit status `status`, into the job's next state."""
        job_id = ended.job_id
        try:
            job = store.load(job_id)
            status = outcome.status_of(job, ended, status)
            if status == 0:
                collect_stems(job)
            if status == 0 and not isinstance(ended, TagCopy) and self._tag(job):
                return
            if status == 0:
                _sync_stems(job)
            replacement = fallback.replacement_after(job, status)
            with store.changing(job_id) as job:
                if job.state == JobState.RUNNING:
                    outcome.settle(job, status, replacement, self.limits.max_attempts)
            if status == outcome.NOT_LAUNCHED:
                self.paused_until = time.monotonic() + self.limits.scheduler_retry_seconds
            if job.is_done:
                separated_audio.add(job.seconds)
        except JobNotFound:
            store.remove(job_id)
        except EngineNotFound:
            _fail(job_id, ENGINE_REMOVED)
        del self.running[job_id]

    def _finish_decoding(self, ended: Separation, status: int) -> None:
        """Start the separation of a job whose upload is decoded, or let the job fail."""
        job_id = ended.job_id
        del self.running[job_id]
        try:
            job = store.load(job_id)
            if status == 0:
                self._start_decoded(job)
            else:
                log.error("job %.8s: %s", job_id, progress.log_tail(job).strip())
                _fail(job_id, decoding.failure_reason(status))
        except JobNotFound:
            store.remove(job_id)
        except EngineNotFound:
            _fail(job_id, ENGINE_REMOVED)

    def _start_decoded(self, job: Job) -> None:
        """Start the separation of a job whose upload is decoded. Raises JobNotFound, EngineNotFound, OSError."""
        atomic.sync(job.decoded_part)
        with store.changing(job.id) as job:
            if job.state == JobState.RUNNING:
                decoding.finish(job)
        if job.state == JobState.RUNNING:
            self._start_process(job)

    def _time_out(self, hung: Separation) -> None:
        separation.stop(hung)
        _fail(hung.job_id, mark_for_translation("The separation was stopped because it exceeded the time limit."))
        del self.running[hung.job_id]

    def _tag(self, job: Job) -> bool:
        """Start copying the song's tags to the stems before the job is done. False if the song has none."""
        with suppress(OSError):
            if metadata.exists(job.source):
                self.running[job.id] = TagCopy(job)
                return True
        return False

    def _end(self, job_id: str) -> None:
        """Stop a separation that was cancelled, and remove what it has written."""
        separation.stop(self.running.pop(job_id))
        shutil.rmtree(paths.DOWNLOADS / job_id, ignore_errors=True)

    def _cancel(self, job: Job) -> None:
        """Remove a job that was deleted while it ran."""
        if locks.is_held(job.running_lock):
            separation.kill_holder(job.running_lock)
        store.remove(job.id)

    def _recover(self, job: Job) -> bool:
        """Handle a job that ran under a worker that was killed: end its process, and run it again once.

        False as long as its process has not ended.
        """
        if locks.is_held(job.running_lock):
            separation.kill_holder(job.running_lock)
            return False
        with store.changing(job.id) as job:
            if job.state != JobState.RUNNING:
                return True  # cancelled in the meantime
            if job.attempts < self.limits.max_attempts:
                job.move_to(JobState.QUEUED)
            else:
                job.fail(mark_for_translation("The separation was interrupted twice. You can start it again."))
        log.info("job %.8s: was interrupted", job.id)
        return True


def _end_leftovers() -> None:
    """End separations that outlived their worker and were cancelled before this one started."""
    for job in catalogue.all_jobs():
        if job.state in (JobState.UPLOADED, JobState.QUEUED) and locks.is_held(job.running_lock):
            separation.kill_holder(job.running_lock)


def _is_cancelled(job_id: str) -> bool:
    """Whether a job that was started was cancelled; it may be queued again already, or deleted."""
    with suppress(JobNotFound):
        return store.load(job_id).state in (JobState.UPLOADED, JobState.QUEUED, JobState.CANCELLED)
    return True


def _note_beginning(starting: Separation) -> None:
    """Note when a separation has loaded its model; its percentage tells its speed only from then on."""
    doing = progress.progress_of(starting.job).doing
    if doing == "waiting":
        starting.restart_clock()
    elif doing in ("separating", "writing"):
        starting.has_begun = True
        with suppress(JobNotFound), store.changing(starting.job_id) as job:
            job.model_loaded = time.time()


def _put_back(job_id: str) -> None:
    """The server stops: the job keeps its place in the queue, and the attempt does not count."""
    with suppress(JobNotFound), store.changing(job_id) as job:
        if job.state == JobState.RUNNING:
            job.move_to(JobState.QUEUED)
            job.attempts -= 1
            log.info("job %.8s: put back", job_id)


def _fail(job_id: str, sentence: str) -> None:
    with suppress(JobNotFound), store.changing(job_id) as job:
        if job.is_pending:
            job.fail(sentence)


def _sync_stems(job: Job) -> None:
    """Make sure that a power cut takes nothing from a job that is about to be done. Raises EngineNotFound."""
    for path in job.stem_paths().values():
        with suppress(FileNotFoundError):  # the missing stem lets the job fail
            atomic.sync(path, path.parent, job.outdir, paths.DOWNLOADS)
