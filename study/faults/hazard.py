"""One fault in a process: at the nth time that it changes something on the disk or starts a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from study.faults.power_cut import WORST, Durable

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime", "os.truncate"}
EXIT_STATUS = 9
STARTED = "a process has started"


class Hazard:
    """Sees every change below `home`, notes it, and at the change number `at` does `deed`.

    `deed` is an errno, with which that one call fails, or 0: the process ends there, as by kill -9, or less: as by a
    power cut, WORST[-deed - 1] of all that leave `folders` in some state.
    """

    def __init__(self, home: Path, at: int = 0, deed: int = 0, folders: tuple[Path, ...] = ()):
        self.home, self.at, self.deed = str(home), at, deed
        self.seen: list[str] = []
        self.started: list[int] = []
        self.durable = Durable(*folders) if deed < 0 else None

    def arm(self) -> None:
        """From here on, and as long as this process lives."""
        sys.addaudithook(self._look)
        os.fsync = self._synced(os.fsync)
        subprocess.Popen.__init__ = self._started(subprocess.Popen.__init__)

    def lose_power(self) -> None:
        """Kill all that this process has started, and build what is left on the disk."""
        self.at = 0
        for pid in self.started:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        self.durable.cut(WORST[-self.deed - 1])

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
            if self.deed < 0:
                self.lose_power()
            if self.deed <= 0:
                os._exit(EXIT_STATUS)
            raise OSError(self.deed, os.strerror(self.deed), path)

    def _synced(self, fsync: Callable) -> Callable:
        def checked(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            self._happens("fsync", path)
            fsync(descriptor)
            if self.durable:
                self.durable.synced(descriptor)

        return checked

    def _started(self, start: Callable) -> Callable:
        def checked(process: subprocess.Popen, *values: object, **options: object) -> None:
            start(process, *values, **options)
            self.started.append(process.pid)
            self._happens(STARTED, self.home)

        return checked


def _without_ids(path: str) -> str:
    return "/".join("<job>" if len(part) == 32 else part for part in path.strip("/").split("/"))
