"""Which processes belong to a copy of the project, as Linux tells it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def of(home: Path, word: str = "") -> list[int]:
    """The processes that work in `home` or run a file of it, and have `word` in their command line."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _belongs(pid, str(home), word)]


def wait_until_gone(home: Path, word: str = "", seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while left := of(home, word):
        assert time.monotonic() < deadline, f"still there: {[_command(pid) for pid in left]}"
        time.sleep(0.02)


def wait_until_ended(home: Path, pid: int, seconds: float = 30) -> None:
    """Wait for the end of one process; another with the same command line may take its place at once."""
    deadline = time.monotonic() + seconds
    while pid in of(home):
        assert time.monotonic() < deadline, f"still there: {_command(pid)}"
        time.sleep(0.02)


def one(home: Path, word: str, seconds: float = 30) -> int:
    """The one process with `word` in its command line, as soon as it is there."""
    deadline = time.monotonic() + seconds
    while len(found := of(home, word)) != 1:
        assert time.monotonic() < deadline, f"{len(found)} processes with {word!r}"
        time.sleep(0.02)
    return found[0]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _belongs(pid: int, home: str, word: str) -> bool:
    try:
        command = _command(pid)
        return (
            word in command
            and command != ""
            and (f"{home}/" in command or Path(f"/proc/{pid}/cwd").readlink() == Path(home))
        )
    except OSError:
        return False  # gone meanwhile


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
