"""Firefox, driven by its own remote protocol, since Playwright only drives a Firefox that it has built itself.

Protocol: https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.programs import require_program
from tests.support.waiting import wait_until

TIMEOUT = 60  # s, of a command
PREFERENCES = {
    "marionette.port": 0,  # any free port; it is written to a file in the profile
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A headless Firefox with one page, and the methods of Playwright's page that the tests of its sound need."""

    def __init__(self, profile: Path, **environment: str):
        path = require_program("firefox-esr", "firefox")
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [path, "--headless", "--marionette", "--no-remote", "--profile", str(profile)],
            env=os.environ | {"HOME": str(profile)} | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = profile / "MarionetteActivePort"
        wait_until(lambda: port.exists() and port.read_text(), TIMEOUT, "Firefox does not start")
        self._socket = socket.create_connection(("127.0.0.1", int(port.read_text())), TIMEOUT)
        self._answers = self._socket.makefile("rb")
        self._nb_commands = 0
        self._receive()  # the greeting
        self._command("NewSession", capabilities={"alwaysMatch": {}})

    def goto(self, url: str) -> None:
        self._command("Navigate", url=url)

    def run(self, script: str) -> Any:
        """Run the body of a function in the page, and return its value."""
        return self._command("ExecuteScript", script=script, args=[], sandbox=None)["value"]

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page, or of the function that it stands for."""
        return self.run(f"const value = ({expression}); return typeof value === 'function' ? value() : value;")

    def click(self, selector: str) -> None:
        element = self._command("FindElement", using="css selector", value=selector)["value"]
        self._command("ElementClick", id=next(iter(element.values())))

    def fill(self, selector: str, value: str, event: str = "input") -> None:
        """Set a field's value as if by the visitor."""
        self.run(
            f"const field = document.querySelector({json.dumps(selector)});"
            f"field.value = {json.dumps(value)}; field.dispatchEvent(new Event({json.dumps(event)}));"
        )

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _command(self, name: str, **parameters: Any) -> Any:
        self._nb_commands += 1
        message = json.dumps([0, self._nb_commands, f"WebDriver:{name}", parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def _receive(self) -> Any:
        digits = iter(lambda: self._answers.read(1), b":")
        return json.loads(self._answers.read(int(b"".join(digits))))


@contextmanager
def sound_server() -> Iterator[str]:
    """A PulseAudio server whose sound goes nowhere, and its address. Without one, Firefox never says that it plays."""
    path = require_program("pulseaudio")
    folder = Path(tempfile.mkdtemp(prefix="sound", dir="/tmp"))  # a socket's path must be short
    address = folder / "socket"
    modules = (f"module-native-protocol-unix auth-anonymous=1 socket={address}", "module-null-sink rate=44100")
    process = subprocess.Popen(
        [path, "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
        + [f"--load={module}" for module in modules],
        env=os.environ | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(address.exists, message="PulseAudio does not start")
        yield f"unix:{address}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
