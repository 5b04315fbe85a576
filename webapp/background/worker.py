"""The worker: a process of its own that runs the queue, `python -m webapp.background.worker`.

The server starts it and holds its stdin; when that ends, the worker puts running jobs back and ends too.
Only one works on a folder of uploads at a time; another waits until the first has gone.
"""

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from webapp import catalogue, jobs, limits, locks, logs, queue
from webapp.background import separation, sweep, tally
from webapp.background.journal import Journal
from webapp.background.painter import Painter
from webapp.background.separation import Separation, Tagging
from webapp.folders import DOWNLOADS, WORKER_LOCK
from webapp.jobs import Job
from webapp.limits import MAX_ATTEMPTS, MODEL_RETRY_SECONDS
from webapp.metadata import tags
from webapp.refusal import Refusal
from webapp.words import later

POLL_SECONDS = 0.05
RETRY_SECONDS = 1.0

log = logging.getLogger("worker")


class Worker:
    """Runs queued jobs, `nb_workers` at a time, in their order."""

    def __init__(self, nb_workers: int):
        self.nb_workers = nb_workers
        self.keep_seconds = limits.in_force().keep_hours * 3600
        self.job_seconds = limits.in_force().max_job_hours * 3600
        self.running: dict[str, Separation] = {}
        self.painter = Painter()
        self.journal = Journal(catalogue.everyone())
        self.unavailable: dict[str, float] = {}  # model → when it could not be had, monotonic s
        self.seen: Sequence[Job] | None = None  # all jobs, when they were last looked at
        self.swept = -float("inf")
        self.trouble: OSError | None = None  # the step's last

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then put back what runs."""
        while not stop.wait(POLL_SECONDS):
            try:
                self._step()
            except OSError:  # a full disk, say: what could not be written now is written later
                log.exception("cannot go on for now")
                stop.wait(RETRY_SECONDS)
        separation.end(*self.running.values())
        for job_id in self.running:
            _put_back(job_id)
        self.painter.end()

    def _step(self) -> None:
        self.trouble = None
        for ended in [one for one in self.running.values() if one.status is not None]:
            self._attempt(self._finish, ended)
        for hung in [one for one in self.running.values() if one.seconds > self.job_seconds]:
            self._attempt(self._give_up, hung)
        for starting in [one for one in self.running.values() if not one.has_begun]:
            self._attempt(_note_beginning, starting)
        if (everyone := catalogue.everyone()) is not self.seen:
            self.seen = everyone
            self._look(everyone)
        self.painter.step()
        if time.monotonic() - self.swept > sweep.INTERVAL_SECONDS:
            self.swept = time.monotonic()
            self._attempt(sweep.sweep, self.keep_seconds)
        if self.trouble:
            raise self.trouble

    def _attempt(self, deed: Callable, *values: object) -> object:
        """Do what may fail for one job, and must not keep the others waiting: it is tried again at the next step."""
        try:
            return deed(*values)
        except OSError as error:
            self.trouble, self.seen = error, None
            return None

    def _look(self, everyone: Sequence[Job]) -> None:
        self.painter.look(everyone)
        self.journal.look(everyone)
        for job in everyone:
            if job.state == "cancelled":
                self._attempt(self._cancel, job)
            elif job.state == "running" and job.id not in self.running and not self._attempt(_recover, job):
                self.seen = None
        for job in queue.waiting():
            if len(self.running) >= self.nb_workers:
                break
            self._attempt(self._start, job.id)

    def _start(self, job_id: str) -> None:
        try:
            with jobs.changing(job_id) as job:
                if job.state != "queued":
                    return
                self._fall_back_early(job)
                job.state, job.started, job.attempts = "running", time.time(), job.attempts + 1
                job.begun = 0.0
        except Refusal:
            return  # deleted meanwhile
        try:
            self.running[job_id] = Separation(job)
        except OSError as error:
            log.error("job %.8s: cannot start: %s", job_id, error)
            _fail(job_id, later("The separation could not be started; the server's log says why."))

    def _fall_back_early(self, job: Job) -> None:
        """Do not ask for a model again that could not be had a moment ago."""
        failed = self.unavailable.get(job.model)
        asked_lately = failed is not None and time.monotonic() - failed < MODEL_RETRY_SECONDS
        if asked_lately and job.separator().falls_back(job.model, job.stems_wanted):
            _fall_back(job)

    def _finish(self, ended: Separation) -> None:
        """Turn the end of a separation into the job's next state."""
        job_id, status = ended.job_id, ended.status
        if status == 0 and not isinstance(ended, Tagging) and self._tag(job_id):
            return
        try:
            if status == 0:
                _onto_disk(jobs.load(job_id))
            with jobs.changing(job_id) as job:
                if job.state == "running":
                    self._settle(job, status)
            if job.state == "done":
                tally.add(job.seconds)
        except Refusal:
            jobs.remove(job_id)
        del self.running[job_id]

    def _give_up(self, hung: Separation) -> None:
        separation.end(hung)
        try:
            with jobs.changing(hung.job_id) as job:
                if job.state == "running":
                    job.state = "failed"
                    job.error = later("The separation took longer than it may take here, so it was ended.")
        except Refusal:
            jobs.remove(hung.job_id)
        del self.running[hung.job_id]

    def _tag(self, job_id: str) -> bool:
        """Let the stems have the song's tags before anybody sees them; whether there are any."""
        with suppress(Refusal, OSError):
            job = jobs.load(job_id)
            if tags.are_in(job.source):
                self.running[job_id] = Tagging(job)
                return True
        return False

    def _settle(self, job: Job, status: int) -> None:
        engine = job.separator()
        if status == 0:
            job.state, job.finished = "done", time.time()
            if not all(path.is_file() for path in job.stems().values()):
                job.state, job.error = "failed", engine.sentence(1)
        elif engine.falls_back(job.model, job.stems_wanted) and status == engine.fallback.status:
            self.unavailable[job.model] = time.monotonic()
            _fall_back(job)
            job.state, job.attempts = "queued", 0
        elif status < 0 and job.attempts < MAX_ATTEMPTS:
            job.state = "queued"
        else:
            job.state, job.error = "failed", engine.sentence(status)
            log.error("job %.8s: %s", job.id, queue.end_of_log(job).split("\r")[-1].strip())

    def _cancel(self, job: Job) -> None:
        running = self.running.pop(job.id, None)
        if running:
            separation.end(running)
        elif locks.is_held(job.running_lock):
            separation.kill_holder(job.running_lock)
        jobs.remove(job.id)


def _fall_back(job: Job) -> None:
    fallback = job.separator().fallback.to
    job.note = later("The model {model} could not be fetched, so the {fallback} model was used instead.")
    job.note_values = {"model": job.model, "fallback": fallback}
    job.model = fallback


def _note_beginning(starting: Separation) -> None:
    """Note when a separation has its model and begins: only from then on does its percent tell its speed."""
    with suppress(Refusal):  # deleted meanwhile
        if queue.progress_of(jobs.load(starting.job_id)).doing in ("separating", "writing"):
            starting.has_begun = True
            with jobs.changing(starting.job_id) as job:
                job.begun = time.time()


def _recover(job: Job) -> bool:
    """A job that ran under a worker that is no more: end what is left of it, and run it again once.

    False while something of it is left.
    """
    if locks.is_held(job.running_lock):
        separation.kill_holder(job.running_lock)
        return False
    with jobs.changing(job.id) as job:
        if job.state != "running":
            return True  # cancelled meanwhile
        if job.attempts < MAX_ATTEMPTS:
            job.state = "queued"
        else:
            job.state, job.error = "failed", later("The separation was interrupted twice. You can start it again.")
    log.info("job %.8s: was interrupted", job.id)
    return True


def _put_back(job_id: str) -> None:
    """The server stops: the job keeps its place, and the attempt does not count."""
    try:
        with jobs.changing(job_id) as job:
            if job.state == "running":
                job.state, job.attempts = "queued", job.attempts - 1
                log.info("job %.8s: put back", job_id)
    except Refusal:
        pass


def _fail(job_id: str, sentence: str) -> None:
    with suppress(Refusal), jobs.changing(job_id) as job:  # deleted meanwhile
        if job.state == "running":
            job.state, job.error = "failed", sentence


def _onto_disk(job: Job) -> None:
    """See to it that a power cut takes nothing from a job that is about to be done."""
    for path in replace(job, state="done").stems().values():
        with suppress(FileNotFoundError):  # which fails the job
            jobs.sync(path, path.parent, job.outdir, DOWNLOADS)


def _stop_with_the_server(stop: threading.Event) -> None:
    while os.read(0, 1):
        pass
    stop.set()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the queue of separations. The server starts this.")
    parser.add_argument("--workers", type=int, default=1, help="separations at a time")
    arguments = parser.parse_args()
    logs.configure()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server hears Ctrl-C and ends this process in order

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_with_the_server, args=(stop,), daemon=True).start()
    lock = None
    while lock is None and not stop.wait(POLL_SECONDS):
        lock = locks.acquire(WORKER_LOCK, wait=False)
    if lock is not None:
        Worker(arguments.workers).run(stop)


if __name__ == "__main__":
    main()
