"""One fault in a process: at the nth time that it changes something on the disk or starts a process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime", "os.truncate"}
EXIT_STATUS = 9
STARTED = "a process has started"


class Hazard:
    """Sees every change below `home`, notes it, and at the change number `at` does `deed`.

    `deed` is an errno, with which that one call fails, or 0: the process ends there, as by kill -9.
    """

    def __init__(self, home: Path, at: int = 0, deed: int = 0):
        self.home, self.at, self.deed = str(home), at, deed
        self.seen: list[str] = []
        self.on_disk: set[str] = set()  # files and folders that were handed to fsync

    def arm(self) -> None:
        """From here on, and as long as this process lives."""
        sys.addaudithook(self._look)
        os.fsync = self._synced(os.fsync)
        subprocess.Popen.__init__ = self._started(subprocess.Popen.__init__)

    def _look(self, event: str, values: tuple) -> None:
        if event == "open" and isinstance(values[2], int) and values[2] & WRITING:
            self._happens("open" if Path(os.fsdecode(values[0])).exists() else "create", values[0])
        elif event in CHANGES:
            self._happens(event.removeprefix("os."), values[0])
        elif event == "subprocess.Popen":
            self._happens("start a process", self.home)

    def _happens(self, what: str, path: object) -> None:
        path = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else self.home
        if not path.startswith(self.home):
            return
        self.seen.append(f"{what} {_without_ids(path.removeprefix(self.home))}".strip())
        if len(self.seen) == self.at:
            if not self.deed:
                os._exit(EXIT_STATUS)
            raise OSError(self.deed, os.strerror(self.deed), path)

    def _synced(self, fsync: Callable) -> Callable:
        def checked(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            self._happens("fsync", path)
            fsync(descriptor)
            self.on_disk.add(path)

        return checked

    def _started(self, start: Callable) -> Callable:
        def checked(process: subprocess.Popen, *values: object, **options: object) -> None:
            start(process, *values, **options)
            self._happens(STARTED, self.home)

        return checked


def _without_ids(path: str) -> str:
    return "/".join("<job>" if len(part) == 32 else part for part in path.strip("/").split("/"))
