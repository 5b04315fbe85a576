"""All jobs in their present states. A state file is read again only after it has changed.

Which ones have changed is in the journal. From time to time all of them are looked at, in case a writer was killed
before it could note its change.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from webapp import paths
from webapp.errors import JobNotFound
from webapp.jobs import store
from webapp.jobs.job import JOB_ID, STATE_NAME, Job
from webapp.jobs.journal import JournalReader

RESCAN_SECONDS = 5.0
MAX_SCAN_SHARE = 0.05  # of the time that may be spent on looking at all jobs
FileVersion = tuple[int, int, int]  # of a state file: modification time in ns, inode, size


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All jobs as they stood at one moment, in no order. They are shared, so they must not be changed."""

    jobs: tuple[Job, ...] = ()


class Catalogue:
    """The jobs in the uploads folder. Many threads may ask for them; only state files that are new are read."""

    def __init__(self, rescan_seconds: float = RESCAN_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        """A change that is missing from the journal is found after `rescan_seconds`."""
        self._rescan_seconds = rescan_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._last_change = 0  # time of the last change that was seen, in ns
        self._next_scan = -float("inf")  # by the clock
        self._journal = JournalReader()
        self._known: dict[str, tuple[FileVersion, Job]] = {}  # by the job's id
        self._snapshot = Snapshot()

    def snapshot(self) -> Snapshot:
        """All jobs now. The same object is returned until one of them changes."""
        with self._lock:
            if self._may_have_changed() and self._update():
                self._snapshot = Snapshot(tuple(job for _, job in self._known.values()))
            return self._snapshot

    def all_jobs(self) -> tuple[Job, ...]:
        """All jobs now, in no order. They are shared, so they must not be changed."""
        return self.snapshot().jobs

    def _may_have_changed(self) -> bool:
        changed = paths.CHANGES.stat().st_mtime_ns if paths.CHANGES.exists() else 0
        if changed == self._last_change and not self._is_scan_due():
            return False
        self._last_change = changed
        return True

    def _is_scan_due(self) -> bool:
        return self._clock() >= self._next_scan

    def _update(self) -> bool:
        """Look at the jobs that have changed, or at all of them. False if none has changed."""
        changed = self._journal.changed()
        if changed is not None and not self._is_scan_due():
            self._look_at(changed)
            return bool(changed)
        start = self._clock()
        before, names = self._known, [entry.name for entry in os.scandir(paths.UPLOADS)]
        self._known = {name: before[name] for name in names if name in before}
        self._look_at(name for name in names if JOB_ID.fullmatch(name))
        end = self._clock()
        self._next_scan = end + max(self._rescan_seconds, (end - start) / MAX_SCAN_SHARE)
        return True

    def _look_at(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            try:
                found = os.stat(f"{paths.UPLOADS}/{job_id}/{STATE_NAME}")  # noqa: PTH116 (three times as fast)
                version = (found.st_mtime_ns, found.st_ino, found.st_size)
                if job_id not in self._known or self._known[job_id][0] != version:
                    self._known[job_id] = (version, store.load(job_id))
            except (OSError, JobNotFound):  # still being uploaded, or just deleted
                self._known.pop(job_id, None)


_catalogue = Catalogue()
snapshot = _catalogue.snapshot
all_jobs = _catalogue.all_jobs
