"""Fixtures: servers over copies of the project, songs to send, and a real browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import chromium, fake_engine
from tests.support.client import Client
from tests.support.project import copy_project, copy_study
from tests.support.server import COVERAGE, RunningServer
from tests.support.warm_processes import WarmProcesses

SAMPLE_RATE = 44100
# Folders and files whose tests start processes without coverage.py, which doubles the CPU time of a script. They run
# code that the other tests run too.
UNMEASURED_FOLDERS = ("browser", "robustness", "study")
UNMEASURED_FILES = """
    test_access_control test_crash_recovery test_curl_examples test_default_model test_docs_commands
    test_engine_failures test_export_downloads test_file_names test_jobs test_network_access test_open_files
    test_openapi test_proxy_prefix test_requests test_responsiveness test_slow_crowds test_slow_readers
    test_slow_senders test_slurm
"""


@pytest.fixture(scope="module", autouse=True)
def without_coverage_of_processes(request) -> Iterator[None]:
    """Start the processes of the unmeasured tests without coverage.py."""
    with pytest.MonkeyPatch.context() as environment:
        if request.path.parent.name in UNMEASURED_FOLDERS or request.path.stem in UNMEASURED_FILES.split():
            environment.delenv(COVERAGE, raising=False)
        yield


def pytest_configure() -> None:
    """Let NumPy and PyTorch use one thread in each process, since the processes of a run keep all cores busy."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores, since tests often wait for a server."""
    return 1 + (os.cpu_count() or 1)


@pytest.fixture
def home(tmp_path) -> Iterator[Path]:
    """A copy of the project for one test, which may change it before it starts a server.

    At the end its models move: a process that keeps one loaded for the next song notices that and ends. They are not
    deleted, because ext4 without a journal creates files slowly for minutes after many were deleted.
    """
    yield copy_project(tmp_path)
    (tmp_path / "openunmix_models").rename(tmp_path / "ended_models")


@pytest.fixture
def start_server(home):
    """Start the real server over `home`, as RunningServer says. All servers are ended at the end."""
    started = []

    def start(*options: str, **settings: str | float) -> RunningServer:
        started.append(RunningServer(home, *options, **settings).start())
        return started[-1]

    yield start
    for running in started:
        running.end()


@pytest.fixture
def run_trial(home):
    """Run a module of study.robustness in `home`, and return its rows. `patch` is Python code that runs before it."""
    if sys.platform != "linux":
        pytest.skip("these trials are for Linux")
    copy_study(home)
    (home / "served").mkdir()

    def run(module: str, *arguments: object, patch: str = "pass") -> list[dict]:
        program = f"{patch}\nfrom study.robustness.{module} import main\nmain()"
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return json.loads(subprocess.run(command, cwd=home, stdout=subprocess.PIPE, check=True).stdout)

    return run


@pytest.fixture
def fake_engine_home(home) -> Path:
    """A copy of the project with the fake engine."""
    fake_engine.install(home)
    return home


@pytest.fixture
def server(tmp_path):
    """A server for one test, which may kill it and start it again."""
    running = RunningServer(copy_project(tmp_path)).start()
    yield running
    running.end()
    running.remove()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A server for the tests of one module."""
    running = RunningServer(copy_project(tmp_path_factory.mktemp("project"))).start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def fake_engine_server(tmp_path_factory):
    """A server with the fake engine for the tests of one module."""
    home = copy_project(tmp_path_factory.mktemp("project"))
    fake_engine.install(home)
    running = RunningServer(home).start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture
def client(shared_server) -> Client:
    return shared_server.client()


@pytest.fixture(scope="session")
def song(tmp_path_factory):
    """Make a WAV of `seconds`: a gliding tone over a square wave and noise, 16-bit stereo by default."""
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


@pytest.fixture(scope="session")
def playwright():
    """Playwright, which can be started only once in a process."""
    with pytest.importorskip("playwright.sync_api").sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright):
    """Headless Chromium, as installed on this machine."""
    with chromium.launched(playwright, chromium.HEADLESS) as browser:
        yield browser


@pytest.fixture
def open_page(browser):
    """Open a page in a new browser context; at the end, check that nothing else was requested and nothing logged."""
    opened = []

    def open_(url: str, **options):
        page = browser.new_context(**options).new_page()
        requested, messages = [], []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        opened.append((page, url, requested, messages))
        page.goto(url)
        return page

    yield open_
    for page, url, requested, messages in opened:
        page.context.close()
        assert requested
        assert [other for other in requested if not other.startswith(url)] == []
        assert messages == []


@pytest.fixture
def configure_engine(fake_engine_server):
    """Configure the fake engine; at the end it is fast again, so that no job waits for another test's."""
    yield lambda **settings: fake_engine.configure(fake_engine_server.home, **settings)
    fake_engine.finish_jobs(fake_engine_server.home)


@pytest.fixture
def warm():
    """Warm processes of the model side in a folder for one test; all are killed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="warm", dir="/tmp"))  # a socket's path must be short
    processes = WarmProcesses(folder)
    yield processes
    for pid in processes.pids():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)
