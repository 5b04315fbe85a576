"""Decides which jobs need pictures, and runs one process at a time that draws them."""

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from webapp import priority
from webapp.jobs.job import Job
from webapp.paths import ROOT
from webapp.worker.neutral_paths import environment
from webapp.worker.separation import NEW_GROUP, kill_group

NICENESS = 10  # below the separation: a tenth of its share of the processor, so that it also ends on a busy machine
KINDS = ("peaks", "spectrogram")


class PictureScheduler:
    """Runs `webapp.worker.pictures` for each job that is done, one after another, at the lowest priority."""

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._settled: set[str] = set()  # jobs that have their pictures, or for which one attempt was made
        self._running: tuple[Job, subprocess.Popen[bytes]] | None = None

    def update(self, jobs: Iterable[Job]) -> None:
        """Find the jobs that need pictures, and stop drawing those of a job that was deleted."""
        self._waiting = [job for job in jobs if job.is_done and job.id not in self._settled]
        if self._running and not self._running[0].source.exists():
            self._settled.discard(self._running[0].id)  # the deletion may be undone
            self.stop()

    def step(self) -> None:
        """Start with the next job if none is being drawn."""
        if self._running and self._running[1].poll() is not None:
            self._running = None
        while self._waiting and not self._running:
            job = self._waiting.pop(0)
            self._settled.add(job.id)
            if not _has_pictures(job):
                self._running = job, _start(job)

    def stop(self) -> None:
        """Kill the running process. What it leaves is removed with the job, or written over the next time."""
        if self._running:
            _, process = self._running
            kill_group(process.pid)
            process.wait()
            self._running = None


def _start(job: Job) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "webapp.worker.pictures"]
    variables = environment(job) | priority.ONE_THREAD
    process = subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, **NEW_GROUP)
    _lower_priority(process.pid)
    return process


def _has_pictures(job: Job) -> bool:
    return all((job.outdir / f"{name}.{kind}").exists() for name in ("mixture", *job.stems()) for kind in KINDS)


def _lower_priority(pid: int) -> None:
    """Let everything else on this machine run first."""
    priority.lower(pid, NICENESS)
    with suppress(OSError):  # desktop Linux shares the processor between sessions first, and this process is one
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))
