"""The journal of changes: which jobs have changed, so that a reader need not look at all of them.

It is the content of `paths.CHANGES`, one job id a line. A line can be missing, after a kill or on a full disk, so
readers also look at all jobs from time to time.
"""

import os
from contextlib import suppress

from webapp import paths

MAX_BYTES = 1 << 20  # of the journal, after which it begins anew; 31,000 changes
LINE_BYTES = 33


def record(job_id: str) -> None:
    """Note that a job has changed, or was removed."""
    with suppress(OSError):
        if paths.CHANGES.exists() and paths.CHANGES.stat().st_size > MAX_BYTES:
            os.truncate(paths.CHANGES, 0)
        with paths.CHANGES.open("ab") as journal:
            journal.write(f"{job_id}\n".encode("ascii"))


class JournalReader:
    """Follows the journal from its present end."""

    def __init__(self) -> None:
        self._offset: int | None = None

    def changed(self) -> frozenset[str] | None:
        """The jobs that have changed since the last call; None if that is not known: at the first call, for example."""
        try:
            with paths.CHANGES.open("rb") as journal:
                size = os.fstat(journal.fileno()).st_size
                known, self._offset = self._offset, size - size % LINE_BYTES
                if known is None or known > self._offset:
                    return None
                journal.seek(known)
                return frozenset(journal.read(self._offset - known).decode("ascii", "replace").split())
        except OSError:
            return None
