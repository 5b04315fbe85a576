"""The check at the start that `--run-with` works: it lists the models through the prefix, once, in the background."""

import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from webapp.command_prefix import with_prefix
from webapp.paths import ROOT, UPLOADS

PATIENCE_SECONDS = 30.0  # before the log says that there is no answer yet
COMMAND = (sys.executable, "-m", "openunmix_models", "list")

log = logging.getLogger("worker")


class PrefixCheck:
    """Runs one short command on another machine, and logs whether that worked."""

    def __init__(self, run_with: Sequence[str]):
        """Start the check, if there is a prefix. Raises OSError."""
        self._process: subprocess.Popen[bytes] | None = None
        if run_with:
            self._output = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
            self._started_at, self._is_late = time.monotonic(), False
            command = with_prefix(run_with, COMMAND, "check", UPLOADS)
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
            )

    def step(self) -> None:
        """Log the result once it is there."""
        if not self._process:
            return
        if self._process.poll() is not None:
            self._report()
            self._process = None
        elif not self._is_late and time.monotonic() - self._started_at > PATIENCE_SECONDS:
            self._is_late = True
            log.warning("the command of --run-with has not answered yet; songs wait until it does")

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _report(self) -> None:
        self._output.seek(0)
        output = self._output.read().decode("utf-8", "replace")
        if "\nended with status 0\n" in output:
            log.info("separations run with the command of --run-with")
        else:
            log.error("the command of --run-with does not work; songs wait until it does:\n%s", output.strip())
        self._output.close()
