"""Measure the wall time, CPU time and peak memory of a command, and describe the machine."""

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

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "numpy", "soundfile", "soxr", "openunmix")
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


@dataclass(frozen=True)
class Run:
    """Resources used by a process and its children: times in seconds, peak memory in bytes."""

    wall: float
    user: float
    system: float
    peak: int


class CommandFailed(Exception):
    """A command exited with a non-zero status. `output` is its stdout and stderr."""

    def __init__(self, status: int, output: str):
        super().__init__(status, output)  # both arguments, so that the exception can be pickled
        self.status, self.output = status, output

    @property
    def sentence(self) -> str:
        """The last line of the output."""
        last = (self.output.splitlines() or ["The command failed without an error message."])[-1]
        return last.removeprefix("error: ")


def run_measured(command: Sequence[object]) -> Run:
    """Run a command and return the resources that it used.

    Raises:
        CommandFailed: The exit status is not 0.
    """
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has already reaped the process
        if status:
            log.seek(0)
            raise CommandFailed(process.returncode, log.read().decode(errors="replace").strip())
    return Run(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)


def describe_machine() -> str:
    """Describe the processor, the operating system and the versions of the main packages, in one line."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}; Python {platform.python_version()}, {versions}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
