"""Runs an engine's command on the machine that a scheduler has chosen: `python launcher.py <lock> <command> ...`.

The command holds the lock as long as it runs. A second attempt, on another machine that shares the folder, therefore
waits for the end of the first one, even if the scheduler has lost sight of it. The log gets a line at the beginning and
one with the exit status at the end, since schedulers change the status: srun exits with 0 if the machine dies.
`webapp.jobs.progress` reads both lines. POSIX only.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    lock, *command = sys.argv[1:]
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:  # the job was deleted, or this machine does not share the folder
        sys.exit(f"{lock} cannot be opened on {socket.gethostname()}: {error.strerror}")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    _log(f"launched on {socket.gethostname()}")
    with subprocess.Popen(command, cwd=ROOT, pass_fds=(descriptor,)) as process:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: process.send_signal(number))
        status = process.wait()
    _log(f"ended with status {status}")
    return status if status >= 0 else 128 - status


def _log(line: str) -> None:
    print(f"\n{line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
