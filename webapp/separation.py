"""One separation: an engine's command as a process of its own, from its start to what its end means."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

from webapp import locks
from webapp.folders import ROOT
from webapp.jobs import Job

GRACE_SECONDS = 1.5
NEW_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}


class Separation:
    """A running separation of `job`."""

    def __init__(self, job: Job):
        """Start the engine's command; what it says goes to the job's log. Raises OSError if it cannot start."""
        shutil.rmtree(job.outdir, ignore_errors=True)
        lock = locks.acquire(job.running_lock)
        try:
            with job.log.open("wb") as log:
                self.process = subprocess.Popen(
                    job.command(),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=() if os.name == "nt" else (lock,),
                    **NEW_GROUP,
                )
        finally:
            os.close(lock)
        self.job_id = job.id
        self.has_begun = False
        self.start = time.monotonic()

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self.process.poll()

    @property
    def seconds(self) -> float:
        """For how long it runs."""
        return time.monotonic() - self.start


class Tagging(Separation):
    """What follows the separation of a song with tags: its stems get them. That it fails spoils no separation."""

    def __init__(self, job: Job):
        """Start it. Raises OSError if it cannot start."""
        command = [sys.executable, "-m", "webapp.tagging", job.id]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, **NEW_GROUP)
        self.job_id = job.id
        self.has_begun = True
        self.start = time.monotonic()

    @property
    def status(self) -> int | None:
        return None if super().status is None else 0


def end(*running: Separation) -> None:
    """End them and all that they started, and wait until they are gone; they may clean up first, for a moment."""
    deadline = time.monotonic() + GRACE_SECONDS
    for one in running if os.name != "nt" else ():
        with suppress(OSError):
            os.killpg(one.process.pid, signal.SIGTERM)
    for one in running:
        if os.name != "nt":
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.0, deadline - time.monotonic()))
        kill_group(one.process.pid)
        one.process.kill()
        one.process.wait()


def kill_group(pid: int) -> None:
    """Kill the process `pid` and those that it started in its group, if they are there; 0 is none."""
    if not pid:
        return  # to the system, 0 is the group of whoever asks: the worker and the server
    with suppress(OSError):
        if os.name == "nt":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S607
        else:
            os.killpg(pid, signal.SIGKILL)
