"""One separation: an engine's command as a process of its own, from its start to what its end means."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from webapp import locks
from webapp.folders import ROOT
from webapp.jobs import Job

GRACE_SECONDS = 1.5
NO_PID = b" " * 12  # takes the room on the disk that a number will need
NEW_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}


class Separation:
    """A running separation of `job`."""

    def __init__(self, job: Job):
        """Start the engine's command; what it says goes to the job's log. Raises OSError if it cannot start."""
        shutil.rmtree(job.outdir, ignore_errors=True)
        with job.log.open("wb") as log:
            self.process = _start(job.command(), job.running_lock, stdout=log, stderr=log)
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
        command = [sys.executable, "-m", "webapp.metadata.tagging", job.id]
        self.process = _start(command, job.running_lock)
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
            os.killpg(one.process.pid, signal.SIGCONT)  # one that stands still would not hear it
    for one in running:
        if os.name != "nt":
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.0, deadline - time.monotonic()))
        kill_group(one.process.pid)
        one.process.kill()
        one.process.wait()


def kill_holder(running_lock: Path) -> None:
    """Kill the separation that holds this lock, whoever started it."""
    with suppress(FileNotFoundError, ValueError):  # ended, or just about to note itself
        kill_group(int(running_lock.read_bytes()))


def _start(command: list[str], running_lock: Path, **output: object) -> subprocess.Popen:
    """Start a command that holds the lock as long as it lives, and whose number stands in the lock's file.

    It notes that itself before its program begins: were it for the worker to do, a kill between the two would leave a
    separation that nobody can end. Raises OSError.
    """
    lock = locks.acquire(running_lock)
    try:
        if os.name != "nt":
            os.pwrite(lock, NO_PID, 0)
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, **_holding(lock), **output)
    except subprocess.SubprocessError as error:  # of the note
        raise OSError(errno.EIO, "it could not be noted") from error
    finally:
        os.close(lock)


def _holding(lock: int) -> dict[str, object]:
    if os.name == "nt":
        return NEW_GROUP
    return NEW_GROUP | {"pass_fds": (lock,), "preexec_fn": lambda: os.pwrite(lock, b"%-12d" % os.getpid(), 0)}


def kill_group(pid: int) -> None:
    """Kill the process `pid` and those that it started in its group, if they are there; 0 is none."""
    if not pid:
        return  # to the system, 0 is the group of whoever asks: the worker and the server
    with suppress(OSError):
        if os.name == "nt":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S607
        else:
            os.killpg(pid, signal.SIGKILL)
