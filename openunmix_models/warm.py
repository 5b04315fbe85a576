"""A process that has torch and the model loaded, and waits some minutes for the next job.

The command hands its job over through a Unix socket in a folder of the user's own, together with its stderr, and waits
for the exit status. A process that waits has a socket there; one that works has none, so that nobody queues behind it.
The name of the socket tells which code and environment it is good for. Where there are no Unix sockets (Windows), or
anything goes wrong, the command does its work itself.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

PACKAGE = Path(__file__).resolve().parent
TAKEN_BY = b"%12d"  # the process that has taken a job says so by its number
TAKE_SECONDS = 10.0  # until a waiting process says that it has taken the job
LOOK_SECONDS = 2.0  # between looks at whether the code is still the same
END_SECONDS = 1.0  # until a job that nobody waits for is ended the hard way


def hand_over(args: Namespace) -> int | None:
    """Have a waiting process, or else a new one, do the job; its exit status, or None if it did not come to an end."""
    if not hasattr(socket, "send_fds"):
        return None
    request = vars(args) | {"cwd": str(Path.cwd())}
    try:
        for connection in _connections(_folder()):
            with connection:
                if pid := _taker(connection, request):
                    _end_together(connection, pid)
                    return next(iter(connection.recv(1)), None)
    except OSError:
        pass
    return None


def _taker(connection: socket.socket, request: dict) -> int:
    """Ask the process behind `connection` to do a job; its number if it does, 0 if another command was before us."""
    try:
        connection.settimeout(TAKE_SECONDS)
        socket.send_fds(connection, [b"J"], [sys.stdout.fileno(), sys.stderr.fileno()])
        connection.sendall(json.dumps(request).encode() + b"\n")
        pid = connection.recv(len(TAKEN_BY % 0))
        connection.settimeout(None)
        return int(pid)
    except (OSError, ValueError):
        return 0


def _end_together(connection: socket.socket, pid: int) -> None:
    """When this command is told to end, end the process that does its job, and go after it."""

    def end(*_: object) -> None:
        connection.settimeout(END_SECONDS + 0.2)
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)  # it hangs
        except OSError:
            pass
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)


def _folder() -> Path:
    """The folder of the sockets. Raises OSError unless it is the user's own and closed to others."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 (checked below)
    folder = Path(parent) / f"openunmix-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o170077 != 0o040000:
        raise PermissionError(f"{folder} is not private")
    return folder


def _fingerprint() -> str:
    """What a process must share with the command to do its job: code, and the environment that torch heeds."""
    heeded = ("OMP_", "MKL_", "CUDA_", "TORCH_", "PYTORCH_")
    environment = sorted(item for item in os.environ.items() if item[0].startswith(heeded))
    return f"{crc32(repr((_code(), environment)).encode()):08x}"


def _code() -> tuple:
    """The interpreter, the packages that are installed, and this code, as they are on the disk now. Raises OSError."""
    files = [*sorted(PACKAGE.glob("*.py")), *(Path(path) for path in sys.path if path.endswith("-packages"))]
    return sys.executable, sys.version, [(str(path), path.stat().st_mtime_ns) for path in files]


def _connections(folder: Path) -> Iterator[socket.socket]:
    """A connection to each process that waits, and at last to a new one."""
    for path in folder.glob(f"{_fingerprint()}-*.sock"):
        try:
            yield _connect(path)
        except OSError:  # it was killed
            path.unlink(missing_ok=True)
    yield _start(folder)


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _start(folder: Path) -> socket.socket:
    """Start a process that waits, connected to us. It inherits its socket, so that there is no waiting for it."""
    import subprocess

    path = folder / f"{_fingerprint()}-{os.getpid()}.sock"
    with _listen(path) as listener:
        connection = _connect(path)  # the first in the row
        command = [sys.executable, "-m", "openunmix_models.warm", str(path), str(listener.fileno())]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(command, cwd=PACKAGE.parent, pass_fds=[listener.fileno()], start_new_session=True, **quiet)
        return connection


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def _serve(path: Path, listener: socket.socket) -> None:
    """Wait for jobs and do them, until none came for the minutes that the last one asked for, or the code changed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    code, seconds = _code(), TAKE_SECONDS
    try:
        while connection := _accept(path, listener, code, seconds):
            path.unlink(missing_ok=True)
            listener.close()
            with connection:
                seconds = 60 * _work(connection)
            listener = _listen(path)
    finally:
        path.unlink(missing_ok=True)


def _accept(path: Path, listener: socket.socket, code: tuple, seconds: float) -> socket.socket | None:
    listener.settimeout(LOOK_SECONDS)
    until = time.monotonic() + seconds
    while time.monotonic() < until and path.exists() and _is_current(code):
        with suppress(TimeoutError):
            return listener.accept()[0]
    return None


def _is_current(code: tuple) -> bool:
    try:
        return _code() == code
    except OSError:  # its folder has gone
        return False


def _work(connection: socket.socket) -> float:
    """Do one job as the command would, in its folder, with its stdout and stderr; returns the minutes to stay.

    After a job for which the memory did not suffice, there are none: all that is held here is given back.
    """
    from . import job
    from .errors import MemoryShortageError

    args, descriptors = _take(connection)
    ours = [os.dup(1), os.dup(2)]
    _point(descriptors)
    try:
        done = threading.Event()
        threading.Thread(target=_watch, args=(connection, done), daemon=True).start()
        os.chdir(args.cwd)
        status = job.run(args)
        with suppress(OSError):
            sys.stdout.flush()
        done.set()
        with suppress(OSError):
            connection.sendall(bytes([status]))
        return args.keep_warm if status != MemoryShortageError.exit_status else 0.0
    finally:
        os.chdir(PACKAGE.parent)
        _point(ours)
        with suppress(OSError):
            sys.stderr.flush()  # what found no room in this job's log must not come into the next one's


def _take(connection: socket.socket) -> tuple[Namespace, list[int]]:
    connection.settimeout(TAKE_SECONDS)
    descriptors = socket.recv_fds(connection, 1, 2)[1]
    with connection.makefile("rb") as lines:
        args = Namespace(**json.loads(lines.readline()))
    connection.sendall(TAKEN_BY % os.getpid())
    connection.settimeout(None)
    return args, descriptors


def _watch(connection: socket.socket, done: threading.Event) -> None:
    """End this process when the command that waits for the job is killed: clean up what was begun, then leave."""
    with suppress(OSError):
        connection.recv(1)
    if not done.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_SECONDS)
        os._exit(1)


def _point(descriptors: list[int]) -> None:
    """Let stdout and stderr go to these, and close them."""
    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
