"""Processes that belong to a copy of the project, found in /proc (Linux only)."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until


def find(home: Path, word: str = "") -> list[int]:
    """Processes whose working directory is `home` or that run a file of it, with `word` in their command line.

    The id of the job that a process works for, which its environment holds, counts as the command line's last word.
    """
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _belongs(pid, str(home), word)]


def wait_until_gone(home: Path, word: str = "", seconds: float = 30) -> None:
    wait_until(
        lambda: not find(home, word),
        seconds,
        lambda: f"still running: {[_command(pid) for pid in find(home, word)]}",
    )


def wait_until_ended(home: Path, pid: int, seconds: float = 30) -> None:
    """Wait for the end of one process; another with the same command line may replace it at once."""
    wait_until(lambda: pid not in find(home), seconds, lambda: f"still running: {_command(pid)}")


def wait_for_one(home: Path, word: str, seconds: float = 30) -> int:
    """Wait until exactly one process has `word` in its command line, and return its process id."""
    found = wait_until(
        lambda: len(found := find(home, word)) == 1 and found,
        seconds,
        lambda: f"{len(find(home, word))} processes with {word!r}",
    )
    return found[0]


def pause_next(home: Path, word: str) -> int:
    """Stop the next process with `word` in its command line while it still starts, and return its process id."""
    pid = wait_until(lambda: next(iter(find(home, word)), None), interval=0.001)
    os.kill(pid, signal.SIGSTOP)
    return pid


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process (SIGSTOP) and let it continue at the end of the block."""
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
        return False  # it ended meanwhile


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        words += [variable.removeprefix(b"JOB=") for variable in variables if variable.startswith(b"JOB=")]
        return b" ".join(words).decode(errors="replace")
    except OSError:
        return ""
