"""The operations of the web application that the crash trials interrupt, and a worker that is fast enough for them."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from study.robustness.sample_song import UploadRequest
from webapp import locks
from webapp.cgi import upload
from webapp.jobs import catalogue, queue, rerun, store
from webapp.jobs.job import Job
from webapp.limits import Limits
from webapp.paths import DOWNLOADS, ROOT, UPLOADS
from webapp.worker import cleanup, copy_tags, pictures, worker

OVERLAP_NOTE = ROOT / "engine.overlaps"  # followed by a dot and the job's id
SETTLE_SECONDS = 10.0
VISITOR = "a" * 64
LIMITS = Limits(keep_hours=1e5 / 3600, retry_seconds=0.005, cleanup_grace_seconds=-1.0)
GONE = "gone"

JobIds = dict[str, str]  # the state of a job that existed before the operation → its id
Promises = dict[str, str]  # a job's id → the state that the operation promises for it, or GONE


def _upload(before: JobIds) -> Promises:
    return {upload.receive(UploadRequest(), VISITOR).id: "uploaded"}


def _enqueue(before: JobIds) -> Promises:
    return {queue.enqueue(before["uploaded"], "starter").id: "done"}


def _separate_again(before: JobIds) -> Promises:
    return {rerun.separate_again(before["done"], VISITOR, "", "starter", "", "").id: "done"}


def _delete_uploaded(before: JobIds) -> Promises:
    return {store.delete(before["uploaded"]).id: GONE}


def _delete_queued(before: JobIds) -> Promises:
    return {store.delete(before["queued"]).id: GONE}


def _delete_done(before: JobIds) -> Promises:
    return {store.delete(before["done"]).id: GONE}


def _run_job(before: JobIds) -> Promises:
    run_worker()
    return {before["queued"]: "done"}


def _clean_up(before: JobIds) -> Promises:
    long_ago = time.time() - 1e6
    for path in (UPLOADS / before["done"] / "state.json", DOWNLOADS / before["done"]):
        os.utime(path, (long_ago, long_ago))
    cleanup.clean_up(LIMITS)
    return {before["done"]: GONE}


def _copy_tags(before: JobIds) -> Promises:
    job = store.load(before["done"])
    copy_tags.copy_tags(job.source, job.stems(), "song")
    return {}


def _draw_pictures(before: JobIds) -> Promises:
    pictures.draw(before["done"])
    return {}


OPERATIONS: dict[str, Callable[[JobIds], Promises]] = {
    "upload": _upload,
    "queueing a song": _enqueue,
    "separating a song again": _separate_again,
    "deleting an uploaded song": _delete_uploaded,
    "deleting a queued song": _delete_queued,
    "deleting a separated song": _delete_done,
    "running a job in the worker": _run_job,
    "the clean-up": _clean_up,
    "copying the tags to the stems": _copy_tags,
    "drawing the pictures": _draw_pictures,
}
WORK_ON_A_FULL_DISK = (_delete_uploaded, _delete_queued, _delete_done, _clean_up)


def speed_up_worker() -> None:
    """Replace the real engine and the worker's slow parts, and shorten its waits, so that a trial takes moments."""
    logging.disable()
    fast_catalogue = catalogue.Catalogue(rescan_seconds=0.005)
    for owner, name, replacement in (
        (worker, "POLL_SECONDS", 0.005),
        (catalogue, "snapshot", fast_catalogue.snapshot),
        (catalogue, "all_jobs", fast_catalogue.all_jobs),
        (worker, "PictureScheduler", _IdlePart),
        (worker, "ModelCheck", _IdlePart),
        (worker, "Warming", _IdlePart),
        (Job, "command", _fake_engine_command),
    ):
        setattr(owner, name, replacement)


class _IdlePart:
    """Stands in for parts of the worker that would take longer than all the rest. Pictures have an operation of their
    own."""

    def __init__(self, *_: object) -> None:
        self.engines: set[str] = set()

    def update(self, jobs: object) -> None: ...
    def step(self) -> None: ...
    def stop(self) -> None: ...
    def stop_waiting_processes(self) -> None: ...
    def start(self) -> None: ...
    def is_running(self) -> bool:
        return False


def _fake_engine_command(job: Job, *_: object, **_options: object) -> list[str]:
    engine = Path(__file__).with_name("crash_engine.py")
    arguments = (engine, os.getpid(), job.source, f"{OVERLAP_NOTE}.{job.id}", *job.stem_paths().values())
    return [sys.executable, "-I", "-S", *map(str, arguments)]


def run_worker() -> None:
    """Run the queue until no job is unsettled. Raises AssertionError if that takes more than SETTLE_SECONDS."""
    lock = locks.acquire(UPLOADS / ".worker")
    runner = _SettlingWorker(1, LIMITS)
    try:
        runner.run(runner.settled)
    finally:
        os.close(lock)


class _SettlingWorker(worker.Worker):
    """A worker that sets `settled` when it has nothing left to do."""

    def __init__(self, nb_workers: int, limits: Limits):
        super().__init__(nb_workers, limits)
        self.settled = threading.Event()
        self._deadline = time.monotonic() + SETTLE_SECONDS

    def _step(self) -> None:
        super()._step()
        if not self.running and not _unsettled_states():
            self.settled.set()
        if time.monotonic() > self._deadline:
            raise AssertionError(f"not settled: {_unsettled_states()}")


def _unsettled_states() -> list[str]:
    return [str(job.state) for job in catalogue.all_jobs() if job.state in ("queued", "running", "cancelled")]
