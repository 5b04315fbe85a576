"""Inject one fault into a process, when it makes its nth write to the disk or starts a process."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.robustness.power_cut import POWER_CUTS, PowerCut, SyncedState

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
WRITE_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime", "os.truncate"}
EXIT_STATUS = 9  # of a process that was killed by its fault
PROCESS_STARTED = "a process has started"


@dataclass(frozen=True)
class Fault:
    """A call that fails with `errno`; or, if that is 0, a power cut or the end of the process as by `kill -9`."""

    name: str
    errno: int = 0
    power_cut: PowerCut | None = None


FAULTS = (
    Fault("kill -9"),
    Fault("disk full", errno.ENOSPC),
    Fault("read-only", errno.EROFS),
    Fault("I/O error", errno.EIO),
    *(Fault(cut.name, power_cut=cut) for cut in POWER_CUTS),
)


class FaultInjector:
    """Records every write below `home`, and makes `fault` happen at write number `at` (from 1; 0: never).

    A power cut leaves the state of `folders` in `<folder>.cut`.
    """

    def __init__(self, home: Path, at: int = 0, fault: Fault | None = None, folders: tuple[Path, ...] = ()):
        self.home, self.at, self.fault = str(home), at, fault
        self.writes: list[str] = []
        self._children: list[int] = []
        self._synced = SyncedState(*folders) if fault and fault.power_cut else None

    def arm(self) -> None:
        """Watch this process from now on, until it ends."""
        sys.addaudithook(self._audit)
        os.fsync = self._watched_fsync(os.fsync)  # type: ignore[assignment]
        subprocess.Popen.__init__ = self._watched_start(subprocess.Popen.__init__)  # type: ignore[method-assign]

    def cut_power(self) -> None:
        """Kill all processes that this one has started, and write what the power cut leaves on the disk."""
        self.at = 0
        for pid in self._children:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        if self._synced and self.fault and self.fault.power_cut:
            self._synced.write_cut(self.fault.power_cut)

    def _audit(self, event: str, values: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(values[2], int) and values[2] & WRITE_FLAGS:
            self._write("open" if Path(os.fsdecode(values[0])).exists() else "create", values[0])
        elif event in WRITE_EVENTS:
            self._write(event.removeprefix("os."), values[0])
        elif event == "subprocess.Popen":
            self._write("start a process", self.home)

    def _write(self, operation: str, path: object) -> None:
        path = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else self.home
        if not path.startswith(self.home):
            return
        self.writes.append(f"{operation} {_without_ids(path.removeprefix(self.home))}".strip())
        if self.fault and len(self.writes) == self.at:
            self._fail(self.fault, path)

    def _fail(self, fault: Fault, path: str) -> None:
        if fault.errno:
            raise OSError(fault.errno, os.strerror(fault.errno), path)
        if fault.power_cut:
            self.cut_power()
        os._exit(EXIT_STATUS)

    def _watched_fsync(self, fsync: Callable[[Any], None]) -> Callable[[int], None]:
        def watched(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            self._write("fsync", path)
            fsync(descriptor)
            if self._synced:
                self._synced.sync(descriptor)

        return watched

    def _watched_start(self, start: Callable[..., None]) -> Callable[..., None]:
        def watched(process: subprocess.Popen[Any], *values: object, **options: object) -> None:
            start(process, *values, **options)
            self._children.append(process.pid)
            self._write(PROCESS_STARTED, self.home)

        return watched


def _without_ids(path: str) -> str:
    return "/".join("<job>" if len(part) == 32 else part for part in path.strip("/").split("/"))
