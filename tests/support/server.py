"""The real server as a process of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.client import Client
from tests.support.project import NO_NETWORK
from tests.support.waiting import wait_until

COVERAGE = "COVERAGE_PROCESS_CONFIG"  # set if coverage.py measures the processes that a test starts
ADDRESS = re.compile(r"http://\S+:(\d+)/")


class RunningServer:
    """The real server over `home`, a copy of the project. It keeps its port when it is started again.

    `options` are those of server.py; `limits` are fields of `webapp.limits.Limits` that differ from the defaults;
    `patch` is Python code that runs in the server's process before it starts.
    """

    def __init__(self, home: Path, *options: str, patch: str = "", **limits: float):
        self.home = home
        self.options = options
        self.limits = limits
        self.patch = patch
        self.port = 0  # the system chooses a free one
        self.log = home / "server.log"

    def start(self) -> "RunningServer":
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._program(), "--port", str(self.port), *self.options],
                cwd=self.home.parent,  # any folder but its own
                env=os.environ | NO_NETWORK,
                stdout=log,
                stderr=log,
            )
        self.port = wait_until(lambda: self._port(begin), message=self.log.read_text)
        return self

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def end(self) -> None:
        """End the server after a test. A killed process saves no coverage, so that takes a little longer."""
        if COVERAGE in os.environ and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self.kill()

    def remove(self) -> None:
        """Delete the project's copy; a warm model process that belongs to it notices that and ends."""
        shutil.rmtree(self.home)

    def client(self) -> Client:
        return Client(self.port)

    def _program(self) -> list[str]:
        """What Python runs: the copy's server.py itself, where nothing else is needed."""
        if self.limits or self.patch or COVERAGE in os.environ:
            return [
                str(Path(__file__).with_name("run_server.py")),
                f"{self.home}/",
                json.dumps(self.limits),
                self.patch,
            ]
        return [str(self.home / "server.py")]

    def _port(self, begin: int) -> int:
        """The port that is printed in the log after `begin` and accepts connections, else 0."""
        assert self.process.poll() is None, self.log.read_text()
        if found := ADDRESS.search(self.log.read_bytes()[begin:].decode(errors="replace")):
            port = int(found[1])
            with socket.create_connection(("127.0.0.1", port), 5):
                return port
        return 0
