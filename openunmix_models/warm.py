"""The warm process: it keeps torch and the model loaded, and waits a few minutes for the next job.

A job starts it, or `preload` does so ahead of a job. While it preloads a model, a job waits in its socket's queue, no
longer than loading the model itself would take.

The command sends its job through a Unix socket in a private folder, together with its stdout and stderr, and waits for
the exit status. An idle process has a socket there; a busy one has none, so that no job queues behind it. The name of
the socket contains a fingerprint of the code and the environment. Without Unix sockets (Windows), or after any error,
the command runs the job itself.
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
from typing import Any
from zlib import crc32

if os.name == "posix":
    import fcntl

PACKAGE = Path(__file__).resolve().parent
JOB, PRELOAD = b"J", b"L"  # the first byte of a request
PID_FORMAT = b"%12d"  # reply of the process that accepts a job
ACCEPT_SECONDS = 10.0  # timeout for an idle process to accept a job
POLL_SECONDS = 2.0  # interval of the check whether the code has changed
TERMINATE_SECONDS = 1.0  # between SIGTERM and SIGKILL


def run_in_warm_process(args: Namespace) -> int | None:
    """Run the job in an idle warm process, or in a new one.

    Returns:
        the job's exit status; None if no process accepted the job or it ended early.
    """
    if not hasattr(socket, "send_fds"):
        return None
    request = vars(args) | {"cwd": str(Path.cwd())}
    try:
        for connection in _connections(_folder()):
            with connection:
                if pid := _request_job(connection, request):
                    _forward_termination(connection, pid)
                    return next(iter(connection.recv(1)), None)
    except OSError:
        pass
    return None


def preload(args: Namespace) -> None:
    """Let the idle warm process, or a new one, load a model, without waiting for it.

    Does nothing while a warm process is busy, because that one will serve the next job.
    """
    if not hasattr(socket, "send_fds"):
        return
    with suppress(OSError):
        folder = _folder()
        for connection in _connections(folder, may_start=not _is_alive(folder)):
            with connection, suppress(OSError):
                _send(connection, PRELOAD, vars(args) | {"cwd": str(Path.cwd())})
                return


def stop() -> None:
    """End all idle warm processes of this code: one whose socket is gone ends within POLL_SECONDS."""
    if not hasattr(socket, "send_fds"):
        return
    with suppress(OSError):
        for path in _folder().glob(f"{_fingerprint()}-*.sock"):
            path.unlink(missing_ok=True)


def _is_alive(folder: Path) -> bool:
    """Whether a matching warm process is running, idle or busy: each holds a shared lock until it ends."""
    with _lock_file(folder).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock_file(folder: Path) -> Path:
    return folder / f"{_fingerprint()}.lock"


def _send(connection: socket.socket, kind: bytes, request: dict[str, Any]) -> None:
    """Send a request, with our stdout and stderr."""
    connection.settimeout(ACCEPT_SECONDS)
    socket.send_fds(connection, [kind], [sys.stdout.fileno(), sys.stderr.fileno()])
    connection.sendall(json.dumps(request).encode() + b"\n")


def _request_job(connection: socket.socket, request: dict[str, Any]) -> int:
    """Send a job; return the PID of the process that accepted it, 0 if it was already busy."""
    try:
        _send(connection, JOB, request)
        pid = connection.recv(len(PID_FORMAT % 0))
        connection.settimeout(None)
        return int(pid)
    except (OSError, ValueError):
        return 0


def _forward_termination(connection: socket.socket, pid: int) -> None:
    """On SIGTERM, stop the process that runs the job, then exit."""

    def end(*_: object) -> None:
        connection.settimeout(TERMINATE_SECONDS + 0.2)
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
    """Fingerprint of the code and of the environment variables that affect torch."""
    prefixes = ("OMP_", "MKL_", "CUDA_", "TORCH_", "PYTORCH_")
    environment = sorted(item for item in os.environ.items() if item[0].startswith(prefixes))
    return f"{crc32(repr((_code_version(), environment)).encode()):08x}"


def _code_version() -> tuple[object, ...]:
    """Interpreter and modification times of this code and the installed packages. Raises OSError."""
    code = (*sorted(PACKAGE.glob("*.py")), *sorted((PACKAGE.parent / "audiofiles").glob("*.py")))
    files = [*code, *(Path(path) for path in sys.path if path.endswith("-packages"))]
    return sys.executable, sys.version, [(str(path), path.stat().st_mtime_ns) for path in files]


def _connections(folder: Path, may_start: bool = True) -> Iterator[socket.socket]:
    """Yield a connection to each idle process and finally, if `may_start`, to a new one."""
    for path in folder.glob(f"{_fingerprint()}-*.sock"):
        try:
            yield _connect(path)
        except OSError:  # it was killed
            path.unlink(missing_ok=True)
    if may_start:
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
    """Start a warm process and connect to it at once: it inherits the listening socket."""
    import subprocess

    path = folder / f"{_fingerprint()}-{os.getpid()}.sock"
    with _listen(path) as listener:
        connection = _connect(path)  # first in the socket's queue
        command = [sys.executable, "-m", "openunmix_models.warm", str(path), str(listener.fileno())]
        subprocess.Popen(
            command,
            cwd=PACKAGE.parent,
            env={
                name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"
            },  # it is run as a module
            pass_fds=[listener.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return connection


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def _serve(path: Path, listener: socket.socket) -> None:
    """Run jobs until none arrives within the last job's --keep-warm minutes, or the code changes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    code, seconds = _code_version(), ACCEPT_SECONDS
    with _lock_file(path.parent).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            while connection := _accept(path, listener, code, seconds):
                with connection:
                    kind, args, descriptors = _receive(connection)
                    if kind == PRELOAD:
                        seconds = 60 * _preload(args, descriptors)
                        continue
                    path.unlink(missing_ok=True)
                    listener.close()
                    seconds = 60 * _work(connection, args, descriptors)
                listener = _listen(path)
        finally:
            path.unlink(missing_ok=True)


def _accept(path: Path, listener: socket.socket, code: tuple[object, ...], seconds: float) -> socket.socket | None:
    listener.settimeout(POLL_SECONDS)
    until = time.monotonic() + seconds
    while time.monotonic() < until and path.exists() and _is_current(code):
        with suppress(TimeoutError):
            return listener.accept()[0]
    return None


def _is_current(code: tuple[object, ...]) -> bool:
    try:
        return _code_version() == code
    except OSError:  # the folder was deleted
        return False


def _receive(connection: socket.socket) -> tuple[bytes, Namespace, list[int]]:
    """Receive a request: its kind, its arguments, and the command's stdout and stderr."""
    connection.settimeout(ACCEPT_SECONDS)
    kind, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
    with connection.makefile("rb") as lines:
        return kind, Namespace(**json.loads(lines.readline())), descriptors


def _preload(args: Namespace, descriptors: list[int]) -> float:
    """Load a model while the socket stays open; return the minutes to stay. Errors are left to the job to report."""
    from . import job
    from .errors import SeparatorError

    for descriptor in descriptors:
        os.close(descriptor)
    os.chdir(args.cwd)
    with suppress(SeparatorError):
        job.preload(args)
    os.chdir(PACKAGE.parent)
    minutes: float = args.keep_warm
    return minutes


def _work(connection: socket.socket, args: Namespace, descriptors: list[int]) -> float:
    """Run one job in the command's folder, with its stdout and stderr; return the minutes to stay.

    After a job that ran out of memory, this is 0, so that the process exits and frees its memory.
    """
    from . import job
    from .errors import MemoryShortageError

    connection.sendall(PID_FORMAT % os.getpid())
    connection.settimeout(None)
    ours = [os.dup(1), os.dup(2)]
    _redirect_output(descriptors)
    try:
        done = threading.Event()
        threading.Thread(target=_exit_if_client_disconnects, args=(connection, done), daemon=True).start()
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
        _redirect_output(ours)
        with suppress(OSError):
            sys.stderr.flush()  # unwritten output must not go to the next job's log


def _exit_if_client_disconnects(connection: socket.socket, done: threading.Event) -> None:
    """Stop this process when the command that waits for it is killed: first by SIGTERM, which cleans up."""
    with suppress(OSError):
        connection.recv(1)
    if not done.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(TERMINATE_SECONDS)
        os._exit(1)


def _redirect_output(descriptors: list[int]) -> None:
    """Redirect stdout and stderr to these descriptors, and close them."""
    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
