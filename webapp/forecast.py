"""When waiting jobs will be done, by the speed of earlier ones. What does not change from second to second is kept."""

import heapq
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from webapp.jobs import Job

LATEST = 5  # earlier jobs that tell how long one takes


class Forecast:
    """What all jobs, as they stood at one moment, tell of those that wait."""

    def __init__(self, everyone: Sequence[Job]):
        self.everyone = everyone
        self.waiting = sorted((job for job in everyone if job.state == "queued"), key=lambda job: job.queue_number)
        self.running = [job for job in everyone if job.state == "running"]
        self._paces = _paces(everyone)

    def position(self, job: Job) -> int:
        """1 for the next."""
        return 1 + bisect_left(self.waiting, job.queue_number, key=lambda other: other.queue_number)

    def seconds(self, job: Job) -> float | None:
        """How long the separation of `job` takes; None if nothing like it was ever separated."""
        pace = self._paces.get(_kind(job))
        return pace and pace * job.seconds

    def seconds_until_done(self, job: Job, until_running_end: list[float | None]) -> float | None:
        """Of a waiting job: the running ones end one after the other, and those before it take their places."""
        ends = until_running_end or [0.0]
        before = self.waiting[: self.position(job) - 1]
        lengths = [self.seconds(other) for other in (*before, job)]  # the job itself may wait no more by now
        if None in ends or None in lengths:
            return None
        heapq.heapify(ends)
        for length in lengths:
            end = heapq.heapreplace(ends, ends[0] + length)
        return end + length


def _paces(everyone: Sequence[Job]) -> dict[tuple, float]:
    """Seconds of work for a second of audio, for each kind of job: the median of its latest."""
    finished = defaultdict(list)
    for job in sorted(everyone, key=lambda job: job.finished):
        took = job.finished - (job.begun or job.started)
        if took > 0 and job.seconds > 0:  # else the clock was set back meanwhile
            finished[_kind(job)].append(took / job.seconds)
    return {kind: median(paces[-LATEST:]) for kind, paces in finished.items()}


def _kind(job: Job) -> tuple:
    return job.model, job.stems_wanted
