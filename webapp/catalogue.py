"""All jobs, as they stand: looked at again only when one of them has changed."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from webapp import jobs
from webapp.folders import CHANGES, UPLOADS
from webapp.jobs import ID, Job
from webapp.refusal import Refusal

RESCAN_SECONDS = 5.0


class Catalogue:
    """All jobs as they stood when something last changed; only what is new is read, and many threads may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = (0, -float("inf"))  # the time of the last change, and of the last look at the folders
        self._known: dict[str, tuple[tuple, Job]] = {}  # job's id → what told its state's file from others, the job
        self._everyone: tuple[Job, ...] = ()

    def everyone(self) -> tuple[Job, ...]:
        """All jobs, in no order, to be read and not to be changed."""
        with self._lock:
            if self._something_changed():
                self._known = dict(self._look())
                self._everyone = tuple(job for _, job in self._known.values())
            return self._everyone

    def _something_changed(self) -> bool:
        """Whether a state changed since the last look; one whose writer was killed is seen after RESCAN_SECONDS."""
        changed = CHANGES.stat().st_mtime_ns if CHANGES.exists() else 0
        now = time.monotonic()
        if changed == self._seen[0] and now - self._seen[1] < RESCAN_SECONDS:
            return False
        self._seen = (changed, now)
        return True

    def _look(self) -> Iterator[tuple[str, tuple[tuple, Job]]]:
        for entry in os.scandir(UPLOADS):
            if ID.fullmatch(entry.name):
                with suppress(OSError, Refusal):  # still coming in, or just gone
                    found = (UPLOADS / entry.name / "state.json").stat()
                    mark = (found.st_mtime_ns, found.st_ino, found.st_size)
                    known = self._known.get(entry.name)
                    yield entry.name, known if known and known[0] == mark else (mark, jobs.load(entry.name))


everyone = Catalogue().everyone
