"""The worker's side of the pictures: which jobs want them, and one process at a time that makes them."""

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from webapp import priority
from webapp.background.separation import NEW_GROUP, kill_group
from webapp.folders import ROOT
from webapp.jobs import Job

NICENESS = 10  # steps below the separation, a tenth of its share, so that it comes to an end on a busy machine too
KINDS = ("peaks", "spectrogram")


class Painter:
    """Has `webapp.background.pictures` run for each job that is done, after one another and behind all other work."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []
        self.settled: set[str] = set()  # jobs that have their pictures, or for which one attempt was made
        self.job: Job | None = None
        self.process: subprocess.Popen | None = None

    def look(self, everyone: Iterable[Job]) -> None:
        """Note who wants pictures, and end the work on those of a job that is gone."""
        self.waiting = [job for job in everyone if job.state == "done" and job.id not in self.settled]
        if self.process and not self.job.source.exists():
            self.end()

    def step(self) -> None:
        """Go on to the next job if none is being worked on."""
        if self.process and self.process.poll() is not None:
            self.process = None
        while self.waiting and not self.process:
            job = self.waiting.pop(0)
            self.settled.add(job.id)
            if not _has_pictures(job):
                self._start(job)

    def end(self) -> None:
        """Kill what runs; what it leaves goes with the job, or is written over the next time."""
        if self.process:
            kill_group(self.process.pid)
            self.process.wait()
            self.process = None

    def _start(self, job: Job) -> None:
        command = [sys.executable, "-m", "webapp.background.pictures", job.id]
        self.job = job
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, **NEW_GROUP)
        _make_way(self.process.pid)


def _has_pictures(job: Job) -> bool:
    return all((job.outdir / f"{name}.{kind}").exists() for name in ("mixture", *job.stems()) for kind in KINDS)


def _make_way(pid: int) -> None:
    """Let everything else on this machine go first."""
    priority.lower(pid, NICENESS)
    with suppress(OSError):  # Linux on a desktop shares the processor between sessions first; it has one of its own
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))
