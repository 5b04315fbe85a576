"""A real server on a free port, over a copy of the project in a folder of its own, and sounds to send to it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests import double
from tests.client import Client

PROJECT = Path(__file__).resolve().parent.parent
CODE = ("server.py", "cgi-bin", "static", "webapp", "openunmix_models")
SAMPLE_RATE = 44100
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


class RunningServer:
    """The real server as a process, over `home`, a copy of the project."""

    def __init__(self, home: Path, *options: str):
        self.home = home
        self.options = options
        self.port = _free_port()
        self.log = home / "server.log"

    def start(self) -> "RunningServer":
        # A proxy that refuses every connection keeps the published weights, and all else outside, out of the tests.
        environment = os.environ | {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.home / "server.py"), "--port", str(self.port), *self.options],
                cwd=self.home.parent,  # any folder but its own
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the server as Ctrl-C would."""
        self.process.send_signal(2)
        self.process.wait(10)

    def remove(self) -> None:
        """Take the project's copy away; a model process that stays warm for it sees that and leaves."""
        shutil.rmtree(self.home)

    def client(self) -> Client:
        return Client(self.port)

    def _wait_until_it_answers(self) -> None:
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())


def copy_project(home: Path) -> Path:
    """Copy what runs into `home`, so that a test's uploads are its own."""
    for name in CODE:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, home / name, ignore=shutil.ignore_patterns("__pycache__", "umx*"))
        else:
            shutil.copy(PROJECT / name, home / name)
    return home


@pytest.fixture
def home(tmp_path) -> Path:
    """A copy of the project of this test's own, which it may change before it starts a server over it."""
    return copy_project(tmp_path)


@pytest.fixture
def serve(home):
    """Start a server over `home`: the real one, with options. All are killed at the end."""
    started = []

    def start(*options: str) -> RunningServer:
        started.append(RunningServer(home, *options).start())
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def limited(serve, home):
    """A server with other limits than the real ones."""

    def start(**limits: int):
        path = home / "webapp" / "limits.py"
        path.write_text(path.read_text() + "".join(f"\n{name} = {value}\n" for name, value in limits.items()))
        return serve().client()

    return start


@pytest.fixture
def trial(home):
    """Run a module of `study.faults` over `home`, in which a test may put a fault before; its rows."""
    if sys.platform != "linux":
        pytest.skip("these trials are for Linux")
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "served").mkdir()

    def run(module: str, *arguments: object) -> list[dict]:
        command = [sys.executable, "-m", f"study.faults.{module}", *map(str, arguments)]
        return json.loads(subprocess.run(command, cwd=home, stdout=subprocess.PIPE, check=True).stdout)

    return run


@pytest.fixture
def quick_home(home) -> Path:
    """A copy of the project with an engine that does at once, or as slowly as is ordered, nothing worth hearing."""
    double.put_in(home)
    return home


@pytest.fixture
def server(tmp_path):
    """A server of this test's own, which it may kill and start again."""
    running = RunningServer(copy_project(tmp_path)).start()
    yield running
    running.kill()
    running.remove()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A server for the tests of one module that leave it as it was."""
    running = RunningServer(copy_project(tmp_path_factory.mktemp("project"))).start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory):
    """A server for one module's tests, with the engine double."""
    home = copy_project(tmp_path_factory.mktemp("project"))
    double.put_in(home)
    running = RunningServer(home).start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture
def client(shared_server) -> Client:
    return shared_server.client()


@pytest.fixture(scope="session")
def song(tmp_path_factory):
    """Make a .wav of `seconds`: a gliding tone over chords and noise, 16 bit stereo unless told otherwise."""
    folder = tmp_path_factory.mktemp("songs")

    def make(seconds=2.0, name="song.wav", channels=2, sample_rate=SAMPLE_RATE, **options) -> Path:
        time_ = np.arange(round(seconds * sample_rate)) / sample_rate
        rng = np.random.default_rng(7)
        voice = 0.3 * np.sin(2 * np.pi * (220 + 40 * np.sin(2 * np.pi * 0.5 * time_)) * time_)
        music = 0.1 * np.sign(np.sin(2 * np.pi * 110 * time_)) + 0.02 * rng.standard_normal(time_.size)
        samples = np.stack([voice + music, voice - 0.5 * music], axis=1)[:, :channels]
        soundfile.write(folder / name, samples, sample_rate, **options)
        return folder / name

    return make


@pytest.fixture(scope="module")
def browser():
    """Chromium without a screen, as the machine has it."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium is installed")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open a page of a new visitor; at the end, nothing went outside, and the console stayed silent."""
    visits = []

    def open_(url: str, **options):
        page = browser.new_context(**options).new_page()
        requested, complaints = [], []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        visits.append((page, url, requested, complaints))
        page.goto(url)
        return page

    yield open_
    for page, url, requested, complaints in visits:
        page.context.close()
        assert requested
        assert [other for other in requested if not other.startswith(url)] == []
        assert complaints == []


@pytest.fixture
def orders(quick_server):
    """Give orders to the engine; it is quick again at the end, so that no job waits for another test's."""
    yield lambda **orders: double.order(quick_server.home, **orders)
    double.let_go(quick_server.home)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
