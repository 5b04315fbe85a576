"""Keeps the worker's process running beside the server."""

import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence

from webapp import priority
from webapp.paths import ROOT

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0


class WorkerSupervisor:
    """Starts the worker, restarts it if it dies, and stops it at the end of the `with` block."""

    def __init__(self, nb_workers: int, run_with: Sequence[str] = ()):
        self._command = [sys.executable, "-m", "webapp.worker.main", f"--workers={nb_workers}"]
        self._command += [f"--run-with={shlex.join(run_with)}"] if run_with else []
        self._stopping = threading.Event()

    def __enter__(self) -> "WorkerSupervisor":
        self._process = self._start()
        threading.Thread(target=self._restart_when_dead, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._process.stdin:
            self._process.stdin.close()  # the worker puts running jobs back, then ends
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)
        priority.lower(process.pid, priority.WORK)  # its child processes inherit this
        return process

    def _restart_when_dead(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(RESTART_SECONDS):
                return
            self._process = self._start()
