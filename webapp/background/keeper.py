"""Keeps the worker running beside the server."""

import subprocess
import sys
import threading

from webapp import priority
from webapp.folders import ROOT

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0


class Keeper:
    """The worker's process: started, started again if it dies, and ended with the block."""

    def __init__(self, nb_workers: int):
        self.command = [sys.executable, "-m", "webapp.background.worker", f"--workers={nb_workers}"]
        self.stopping = threading.Event()

    def __enter__(self) -> "Keeper":
        self._start()
        threading.Thread(target=self._keep, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.process.stdin.close()  # the worker puts running jobs back, then ends
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _start(self) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.PIPE)
        priority.lower(self.process.pid, priority.WORK)  # and with it what it starts

    def _keep(self) -> None:
        while True:
            self.process.wait()
            if self.stopping.wait(RESTART_SECONDS):
                return
            self._start()
