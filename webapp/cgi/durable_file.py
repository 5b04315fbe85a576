"""A file that is on the disk once it is closed."""

import os
from pathlib import Path
from types import TracebackType

FLUSH_BYTES = 16 << 20


class DurableFile:
    """A new file whose content is sent to the disk while it is written, so that the final fsync has little to do."""

    def __init__(self, path: Path):
        self._file = path.open("xb", buffering=0)
        self.nb_written = self._nb_flushed = 0

    def __enter__(self) -> "DurableFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                os.fsync(self._file.fileno())

    def write(self, content: bytes | memoryview) -> None:
        view = memoryview(content)
        self.nb_written += len(view)
        while view:
            view = view[self._file.write(view) :]
        if self.nb_written - self._nb_flushed >= FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # On Linux, declaring the pages unneeded starts writing them without waiting for it.
            nb_bytes = self.nb_written - self._nb_flushed
            os.posix_fadvise(self._file.fileno(), self._nb_flushed, nb_bytes, os.POSIX_FADV_DONTNEED)
            self._nb_flushed = self.nb_written
