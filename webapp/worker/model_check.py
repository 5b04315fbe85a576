"""The check whether missing models can be fetched: one attempt at a time, in a process that runs in the background."""

import json
import logging
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO

from webapp.engines import availability, choices, table
from webapp.engines.availability import Availability
from webapp.engines.choices import DEFAULT_ENGINE, DEFAULT_MODEL
from webapp.engines.engine import fill_placeholders
from webapp.paths import ROOT

MAX_SECONDS = 30.0  # the attempt itself takes at most 4 s

log = logging.getLogger("worker")


@dataclass(frozen=True)
class _Check:
    """A running check: its process, which writes to `answer`, and its start, in monotonic s."""

    process: "subprocess.Popen[bytes]"
    answer: IO[bytes]
    start: float


class ModelCheck:
    """Asks the default engine which of its models can be fetched, and saves the answer for pages and scripts."""

    def __init__(self) -> None:
        self._running: _Check | None = None
        self._logged: list[str] = []

    def start(self) -> None:
        """Start a check, unless one is running. Raises OSError."""
        if self._running:
            return
        engine = table.find_engine(DEFAULT_ENGINE)
        command = [fill_placeholders(part) for part in (*engine.listing, *engine.check)]
        answer = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end of the check)
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.DEVNULL
        )
        self._running = _Check(process, answer, time.monotonic())

    def step(self) -> None:
        """Save the answer once it is there. Raises OSError."""
        if not self._running:
            return
        if self._running.process.poll() is not None:
            check, self._running = self._running, None
            self._finish(check)
        elif time.monotonic() - self._running.start > MAX_SECONDS:
            self.stop()

    def stop(self) -> None:
        """Give up the running check."""
        if self._running:
            self._running.process.kill()
            self._running.process.wait()
            self._running.answer.close()
            self._running = None

    def _finish(self, check: _Check) -> None:
        with check.answer as answer:
            answer.seek(0)
            try:
                models = json.loads(answer.read())
                unavailable = frozenset(model["name"] for model in models if model["reachable"] is False)
            except (ValueError, KeyError, TypeError):
                unavailable = availability.load().unavailable
                log.error("the check which models can be fetched failed with status %d", check.process.returncode)
        availability.save(Availability(time.time(), unavailable))
        lines = _about_the_default()
        for line in lines if lines != self._logged else ():
            log.info(line)
        self._logged = lines


def _about_the_default() -> list[str]:
    """Which model is the default, if it is not the usual one, and how to get a better one, if a command can do that."""
    choices.refresh()
    choice, better = choices.default_choice(), choices.worth_fetching()
    lines = []
    if choice.name != DEFAULT_MODEL:
        lines.append(f"the model {DEFAULT_MODEL} cannot be fetched at present; the default is {choice.name}")
    if better:
        lines.append(f"the model {better.name} is not on this disk; to fetch what it needs: {better.fetch}")
    return lines
