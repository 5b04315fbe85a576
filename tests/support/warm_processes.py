"""The command with --keep-warm, and the warm processes that it leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from tests.support.project import PROJECT
from tests.support.waiting import wait_until

RATE = 44100


class WarmProcesses:
    """Runs the command with --keep-warm in a folder for sockets, songs and stems, and finds its warm processes."""

    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"

    def song(self, seconds: float, name: str = "song") -> Path:
        noise = np.random.default_rng(0).normal(0, 0.1, (int(seconds * RATE), 2))
        soundfile.write(self.folder / f"{name}.wav", noise, RATE)
        return self.folder / f"{name}.wav"

    def start(
        self, song: Path, *more: str, model: str = "starter", minutes: float = 1, root: Path = PROJECT, **more_options
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
        output = process.communicate(timeout=120)[1]
        self._wait_until_ready()
        return process.returncode, output

    def stems(self, name: str = "song") -> dict[str, np.ndarray]:
        return {path.name: soundfile.read(path)[0] for path in (self.out / name).iterdir()}

    def pids(self) -> list[int]:
        """The warm processes, whether they wait or work."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if self._is_ours(path)]

    def _wait_until_ready(self) -> None:
        """Wait until the warm process listens for the next job; it answers the command before that."""
        wait_until(lambda: not self.pids() or list(self.folder.rglob("*.sock")))

    def _is_ours(self, path: Path) -> bool:
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            return False
        return b"openunmix_models.warm" in words and any(os.fsencode(self.folder) in word for word in words)

    def wait_until_gone(self) -> None:
        wait_until(lambda: not self.pids(), message="the warm process stays")


def wait_for_progress(command: subprocess.Popen) -> None:
    output = ""
    while "separating:" not in output:
        output += command.stderr.read(1)
        assert command.poll() is None, output
