"""Estimates of when pending jobs will be done, from the speed of earlier jobs and of the running ones."""

import heapq
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from webapp.engines.engine import NOTHING_YET, Progress
from webapp.jobs import catalogue, queue
from webapp.jobs.catalogue import Snapshot
from webapp.jobs.job import Job, JobState
from webapp.jobs.progress import progress_of

ENDS_SECONDS = 1.0
NB_LATEST = 5  # finished jobs from which the speed of a kind of job is estimated

JobKind = tuple[str, str]  # the model and the stems wanted, on which the speed depends


@dataclass(frozen=True)
class JobStatus:
    """The status of a job: its place in the queue, or its progress.

    `position` is 1 for the next job in the queue and 0 for a job that is not queued. `seconds_left` is the estimated
    time until the job is done, None if it cannot be estimated. `elapsed` is how long the job has run, in seconds.
    """

    position: int = 0
    percent: float = 0.0
    seconds_left: float | None = None
    elapsed: float = 0.0
    progress: Progress = NOTHING_YET


def status_of(job: Job) -> JobStatus:
    """The status of `job` now."""
    if job.state == JobState.QUEUED:
        estimates = _estimates(catalogue.snapshot())
        return JobStatus(estimates.position(job), seconds_left=estimates.seconds_until_done(job))
    if job.state == JobState.RUNNING:
        progress = progress_of(job)
        left = _seconds_left_by_own_speed(job, progress)
        return JobStatus(0, progress.percent, left, max(0.0, time.time() - job.started), progress)
    if job.is_done:
        return JobStatus(0, 100.0, 0.0, max(0.0, job.finished - job.started))
    return JobStatus()


class Estimates:
    """What all jobs, as they stood at one moment, tell about the ones in the queue."""

    def __init__(self, jobs: Iterable[Job]):
        jobs = list(jobs)
        self.queued = queue.in_order(jobs)
        self.running = [job for job in jobs if job.state == JobState.RUNNING]
        self._speeds = _speeds(jobs)
        self._ends: list[float] = []
        self._ends_at = -float("inf")  # monotonic s

    def position(self, job: Job) -> int:
        """The position of a queued job: 1 for the next one."""
        return 1 + queue.nb_ahead(job, self.queued)

    def separation_seconds(self, job: Job) -> float | None:
        """How long the separation of `job` takes; None if no job of its kind was ever separated."""
        speed = self._speeds.get(_kind(job))
        return None if speed is None else speed * job.seconds

    def ends(self, running: Sequence[float | None]) -> list[float]:
        """The times until the queued jobs are done, in their order, up to the first that cannot be estimated.

        Each starts when one of the running jobs, or of those ahead of it, ends. `running` has the times until the
        running ones end, in seconds, None where they cannot be estimated.
        """
        slots = [end for end in running if end is not None]
        if len(slots) < len(running):
            return []
        slots = slots or [0.0]
        heapq.heapify(slots)
        ends: list[float] = []
        for job in self.queued:
            seconds = self.separation_seconds(job)
            if seconds is None:
                break
            ends.append(slots[0] + seconds)
            heapq.heapreplace(slots, ends[-1])
        return ends

    def seconds_until_done(self, job: Job) -> float | None:
        """The time until a queued job is done; None if it cannot be estimated.

        All such times are computed together, at most once in ENDS_SECONDS, since each open page asks for one.
        """
        if time.monotonic() - self._ends_at > ENDS_SECONDS:
            self._ends = self.ends([self.seconds_left(other) for other in self.running])
            self._ends_at = time.monotonic()
        place = queue.nb_ahead(job, self.queued)
        if place == len(self.queued):
            return self.separation_seconds(job)  # it has just left the queue
        return self._ends[place] if place < len(self._ends) else None

    def seconds_left(self, job: Job) -> float | None:
        """The time until a running job is done, by its own speed once that is known."""
        progress = progress_of(job)
        if progress.doing in ("fetching", "waiting"):
            return None
        left = _seconds_left_by_own_speed(job, progress)
        return self.separation_seconds(job) if left is None else left


@lru_cache(maxsize=1)
def _estimates(snapshot: Snapshot) -> Estimates:
    """Made again only when a job has changed, since open pages ask for their jobs' status every second."""
    return Estimates(snapshot.jobs)


def _seconds_left_by_own_speed(job: Job, progress: Progress) -> float | None:
    """The time until a running job is done, from the percentage that it has reached."""
    elapsed = time.time() - job.separation_started
    if progress.percent <= 0 or elapsed <= 0:  # the clock may have been set back
        return None
    return elapsed * (100 - progress.percent) / progress.percent


def _speeds(jobs: Iterable[Job]) -> dict[JobKind, float]:
    """Seconds of work for a second of audio, for each kind of job: the median of its NB_LATEST latest jobs."""
    ratios: defaultdict[JobKind, list[float]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: job.finished):
        took = job.finished - job.separation_started
        if took > 0 and job.seconds > 0:  # otherwise the job is not done, or the clock was set back
            ratios[_kind(job)].append(took / job.seconds)
    return {kind: _median(latest[-NB_LATEST:]) for kind, latest in ratios.items()}


def _median(values: list[float]) -> float:
    """The upper median. Importing the module `statistics` would slow the start of every script."""
    return sorted(values)[len(values) // 2]


def _kind(job: Job) -> JobKind:
    return job.model, job.stems_wanted
