"""A process that stays warm does the next job, and nothing that happens to it or to the command makes a job hang."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parent.parent
RATE = 44100

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")


class Place:
    """A folder for sockets, songs and stems, and the processes that wait in it."""

    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"

    def song(self, seconds: float, name: str = "song") -> Path:
        noise = np.random.default_rng(0).normal(0, 0.1, (int(seconds * RATE), 2))
        soundfile.write(self.folder / f"{name}.wav", noise, RATE)
        return self.folder / f"{name}.wav"

    def start(
        self, song: Path, *more: str, model: str = "starter", minutes: float = 1, root: Path = ROOT, **more_options
    ):
        arguments = [str(song), "--model", model, "--targets", "vocals", "--residual", "residual"]
        command = [sys.executable, "-m", "openunmix_models", *arguments, "--outdir", str(self.out), *more]
        env = os.environ | {"XDG_RUNTIME_DIR": str(self.folder)}
        warm = ["--keep-warm", str(minutes)] if minutes else []
        options = {"cwd": root, "env": env, "stderr": subprocess.PIPE, "text": True} | more_options
        return subprocess.Popen([*command, *warm], **options)

    def run(self, *args, **kwargs) -> tuple[int, str]:
        """Exit status and stderr."""
        process = self.start(*args, **kwargs)
        told = process.communicate(timeout=60)[1]
        self._wait_until_ready()
        return process.returncode, told

    def stems(self, name: str = "song") -> dict[str, np.ndarray]:
        return {path.name: soundfile.read(path)[0] for path in (self.out / name).iterdir()}

    def waiting(self) -> list[int]:
        """The processes that are warm."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if self._is_ours(path)]

    def _wait_until_ready(self) -> None:
        """Until whoever did the job listens for the next: it tells the command first."""
        until = time.monotonic() + 5
        while self.waiting() and not list(self.folder.rglob("*.sock")) and time.monotonic() < until:
            time.sleep(0.01)

    def _is_ours(self, path: Path) -> bool:
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            return False
        return b"openunmix_models.warm" in words and any(os.fsencode(self.folder) in word for word in words)

    def wait_until_gone(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self.waiting() and time.monotonic() < until:
            time.sleep(0.02)
        return not self.waiting()


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="warm", dir="/tmp"))  # a socket's path must be short
    place = Place(folder)
    yield place
    for pid in place.waiting():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def test_the_second_job_is_done_by_the_process_of_the_first(place):
    song = place.song(0.5)
    assert place.run(song, minutes=0)[0] == 0
    alone = place.stems()
    assert not place.waiting()
    pids = []
    for _ in range(2):
        shutil.rmtree(place.out)
        status, told = place.run(song)
        assert status == 0
        assert "writing: 100%" in told
        pids.append(place.waiting())
        for name, stem in place.stems().items():
            np.testing.assert_allclose(stem, alone[name], atol=1e-4)
    assert pids[0] == pids[1]
    assert len(pids[0]) == 1


def test_a_failure_is_told_as_ever_and_the_process_goes_on(place):
    bad = place.folder / "bad.wav"
    bad.write_text("not a sound")
    assert place.run(place.song(0.5))[0] == 0
    before = place.waiting()
    status, told = place.run(bad)
    assert status == 2
    assert told.splitlines()[-1].startswith("error: ")
    assert place.run(place.song(0.5))[0] == 0
    assert place.waiting() == before


def test_weights_that_changed_are_loaded_anew(place):
    model = place.folder / "model"
    shutil.copytree(ROOT / "openunmix_models" / "starter", model)
    song = place.song(0.5)
    assert place.run(song, model=str(model))[0] == 0
    before = place.waiting()
    (model / "vocals.pth").write_bytes(b"damaged")
    status, told = place.run(song, model=str(model))
    assert status == 3
    assert "vocals.pth" in told
    assert place.waiting() == before


def test_when_the_process_is_killed_the_command_does_the_job(place):
    command = place.start(place.song(20))
    _wait_for_progress(command)
    for pid in place.waiting():
        os.kill(pid, signal.SIGKILL)
    command.communicate(timeout=120)
    assert command.returncode == 0
    assert set(place.stems()) == {"vocals.wav", "residual.wav"}
    assert not place.waiting()


def test_when_the_command_is_killed_the_process_stops_and_leaves_nothing(place):
    command = place.start(place.song(40))
    _wait_for_progress(command)
    command.kill()
    command.communicate()
    assert place.wait_until_gone(30)
    assert not [path for path in place.out.rglob("*") if path.is_file()]


def test_a_second_command_does_not_wait_for_the_first(place):
    first = place.start(place.song(20, "first"))
    _wait_for_progress(first)
    (busy,) = place.waiting()
    os.kill(busy, signal.SIGSTOP)  # as busy as can be
    assert place.run(place.song(0.5, "second"))[0] == 0
    os.kill(busy, signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert len(place.waiting()) == 2


def test_goes_after_its_minutes_and_when_it_is_told_to(place):
    assert place.run(place.song(0.5), minutes=0.001)[0] == 0
    assert place.wait_until_gone(20)
    assert place.run(place.song(0.5))[0] == 0
    os.kill(*place.waiting(), signal.SIGTERM)
    assert place.wait_until_gone(20)
    assert not list(place.folder.rglob("*.sock"))


def test_code_that_changed_is_not_run_from_memory(place):
    code = place.folder / "project"
    shutil.copytree(ROOT / "openunmix_models", code / "openunmix_models")
    song = place.song(0.5)
    assert place.run(song, root=code)[0] == 0
    (before,) = place.waiting()
    os.utime(code / "openunmix_models" / "separation.py")
    assert place.run(song, root=code)[0] == 0
    assert [pid for pid in place.waiting() if pid != before]
    shutil.rmtree(code)
    assert place.wait_until_gone(20)


def test_holds_nothing_that_the_command_had_open(place):
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    command = place.start(place.song(0.5), pass_fds=[theirs])
    os.close(theirs)
    command.communicate(timeout=60)  # ends when nobody holds the command's stderr
    assert place.waiting()
    assert os.read(ours, 1) == b""  # would block if somebody held the other end
    os.close(ours)


def test_a_folder_that_others_can_enter_is_not_used(place):
    sockets = place.folder / f"openunmix-{os.getuid()}"
    sockets.mkdir()
    sockets.chmod(0o755)
    assert place.run(place.song(0.5))[0] == 0
    assert not place.waiting()


def _wait_for_progress(command: subprocess.Popen) -> None:
    told = ""
    while "separating:" not in told:
        told += command.stderr.read(1)
        assert command.poll() is None, told
