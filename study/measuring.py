"""What a command takes as a whole process: seconds and memory, and the names of the machine that it took them on."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "numpy", "soundfile", "soxr", "openunmix")
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


@dataclass(frozen=True)
class Run:
    """What one process and those that it started took: seconds, and bytes at the peak."""

    wall: float
    user: float
    system: float
    peak: int


class CommandFailed(Exception):
    """A command ended with an exit status that is not 0; `said` is what it said."""

    def __init__(self, status: int, said: str):
        super().__init__(status, said)  # both, else it cannot come back from another process
        self.status, self.said = status, said

    @property
    def sentence(self) -> str:
        """The last line of what it said."""
        last = (self.said.splitlines() or ["It failed without a word."])[-1]
        return last.removeprefix("error: ")


def measured(command: Sequence[object]) -> Run:
    """Run a command to its end. Raises CommandFailed."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        if status:
            log.seek(0)
            raise CommandFailed(process.returncode, log.read().decode(errors="replace").strip())
    return Run(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)


def machine() -> str:
    """The machine's and the versions' names."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}; Python {platform.python_version()}, {versions}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
