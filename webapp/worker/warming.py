"""Starting a process that has loaded the default model before the first song is separated."""

import subprocess
import time
from contextlib import suppress
from typing import Any

from webapp.engines import choices, table
from webapp.engines.choices import TWO_STEMS
from webapp.limits import Limits
from webapp.paths import ROOT
from webapp.worker.separation import NEW_GROUP

STOP_SECONDS = 2.5  # the server waits 5 s for the worker
NO_STREAMS: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


class Warming:
    """Runs the warming command of the default model's engine, at the priority of separations, one at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = -float("inf")  # monotonic s
        self.engines: set[str] = set()  # those that may have left a process with a loaded model

    def start(self) -> None:
        """Start the command, unless that was done a moment ago. Raises OSError."""
        if time.monotonic() - self._started_at < self._limits.warming_pause_seconds:
            return
        self._started_at = time.monotonic()
        choices.refresh()
        choice = choices.default_choice()
        command = table.find_engine(choice.engine).warming_arguments(choice.name, TWO_STEMS, choice.targets)
        if command and TWO_STEMS in choice.on_disk:
            self.engines.add(choice.engine)
            self._process = subprocess.Popen(command, cwd=ROOT, **NO_STREAMS)

    def is_running(self) -> bool:
        """Whether the command still runs. A separation that began now would load the model a second time."""
        if (
            self._process
            and self._process.poll() is None
            and time.monotonic() - self._started_at > self._limits.warming_seconds
        ):
            self.stop()
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop_waiting_processes(self) -> None:
        """Run the commands that end the processes which wait for a song with a loaded model; the server stops."""
        for engine in self.engines & table.engines().keys():
            if command := table.find_engine(engine).stopping_arguments():
                with suppress(OSError, subprocess.SubprocessError):
                    subprocess.run(command, cwd=ROOT, check=False, timeout=STOP_SECONDS, **NO_STREAMS, **NEW_GROUP)
