"""A separation: an engine's command in a separate process, from its start to its exit status."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from webapp import locks
from webapp.command_prefix import with_prefix
from webapp.jobs.job import Job
from webapp.paths import ROOT
from webapp.worker.neutral_paths import NeutralPaths, environment

GRACE_SECONDS = 3.0  # the command itself waits 1.2 s for a warm process that hangs
NO_PID = b" " * 12  # reserves the space on the disk that the pid will need
WAITING = b"waiting for the scheduler\n"  # webapp.engines.engine looks for it
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
NEW_GROUP: dict[str, Any]  # arguments by which subprocess starts a process group
if sys.platform == "win32":
    NEW_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    NEW_GROUP = {"start_new_session": True}


class Separation:
    """A running separation of `job`."""

    paths: NeutralPaths | None = None

    def __init__(self, job: Job, run_with: Sequence[str] = ()):
        """Start the engine's command, which writes to the job's log. Raises OSError, EngineNotFound.

        `run_with` is the prefix by which it runs on another machine. No model is kept loaded there, since that would
        take memory which the scheduler may have promised to others.
        """
        self.is_remote = bool(run_with)
        job.find_engine()
        shutil.rmtree(job.outdir, ignore_errors=True)
        self.paths = NeutralPaths(job)
        command = job.command(self.paths.source, self.paths.outdir, keep_warm=not self.is_remote)
        if self.is_remote:
            command = with_prefix(run_with, command, job.id[:8], self.paths.source.parent)
        try:
            self.process = self._start(job, command)
        except OSError:
            self.paths.remove()
            raise
        self.job, self.job_id = job, job.id
        self.has_begun = False  # whether the model is loaded
        self._started_at = time.monotonic()

    def _start(self, job: Job, command: list[str]) -> "subprocess.Popen[bytes]":
        with job.log.open("wb") as log:
            if self.is_remote:
                log.write(WAITING)
                log.flush()
            return start_process(job, command, stdout=log, stderr=log)

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        status = self.process.poll()
        if status is not None and self.paths:
            self.paths.remove()
        return status

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._started_at

    def restart_clock(self) -> None:
        """Note that it still waits for a machine, which the time limit of a separation does not include."""
        self._started_at = time.monotonic()


class TagCopy(Separation):
    """What follows the separation of a song with tags: the stems get them. Its failure does not fail the job."""

    def __init__(self, job: Job):
        """Start the process. Raises OSError."""
        self.is_remote = False
        self.process = start_process(job, [sys.executable, "-m", "webapp.worker.copy_tags"])
        self.job, self.job_id = job, job.id
        self.has_begun = True
        self._started_at = time.monotonic()

    @property
    def status(self) -> int | None:
        return None if super().status is None else 0


def stop(*separations: Separation) -> None:
    """Stop separations with all their child processes, and wait for their end. They have a moment to clean up."""
    deadline = time.monotonic() + GRACE_SECONDS
    if sys.platform != "win32":
        for separation in separations:
            with suppress(OSError):
                os.killpg(separation.process.pid, signal.SIGTERM)
                os.killpg(separation.process.pid, signal.SIGCONT)  # a stopped process would not get SIGTERM
        for separation in separations:
            with suppress(subprocess.TimeoutExpired):
                separation.process.wait(max(0.0, deadline - time.monotonic()))
    for separation in separations:
        kill_group(separation.process.pid)
        separation.process.kill()
        separation.process.wait()
        if separation.paths:
            separation.paths.remove()


def kill_holder(running_lock: Path) -> None:
    """Kill the separation that holds this lock, no matter which worker started it."""
    with suppress(FileNotFoundError, ValueError):  # it has ended, or is about to write its pid
        kill_group(int(running_lock.read_bytes()))


def kill_group(pid: int) -> None:
    """Kill the process `pid` and its process group, if they exist. Does nothing for 0."""
    if not pid:
        return  # for killpg, 0 is the group of the caller: the worker and the server
    with suppress(OSError):
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S607
        else:
            os.killpg(pid, signal.SIGKILL)


def start_process(
    job: Job, command: list[str], variables: Mapping[str, str] = NO_VARIABLES, **output: Any
) -> "subprocess.Popen[bytes]":
    """Start a command that holds the job's lock as long as it lives, and whose pid is in the lock's file.

    The process writes its pid itself, before its program begins. If the worker wrote it, a kill of the worker between
    the two would leave a separation that nobody could stop. Raises OSError.
    """
    lock = locks.acquire(job.running_lock)
    try:
        if sys.platform != "win32":
            os.pwrite(lock, NO_PID, 0)
        env = environment(job) | dict(variables)
        return subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, **_holding(lock), **output)
    except subprocess.SubprocessError as error:  # in writing the pid
        raise OSError(errno.EIO, "the pid could not be written") from error
    finally:
        os.close(lock)


def _holding(lock: int) -> dict[str, Any]:
    """Arguments by which subprocess starts a process that holds the lock and writes its pid into the lock's file."""
    if sys.platform == "win32":
        return NEW_GROUP
    return NEW_GROUP | {"pass_fds": (lock,), "preexec_fn": lambda: os.pwrite(lock, b"%-12d" % os.getpid(), 0)}
