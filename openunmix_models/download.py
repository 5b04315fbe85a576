"""Download one file: resume after a lost connection, check the SHA-256, rename into place at the end."""

import http.client
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener, getproxies, proxy_bypass

from .errors import DiskError, WeightsError
from .integrity import has_sha256

CONNECT_SECONDS = 4.0  # to connect, including name resolution
STALL_SECONDS = 20.0  # without receiving a byte
BLOCK = 1 << 18

Progress = Callable[[int, int], None]


class _ConnectionLostError(Exception):
    """The connection was lost before the end of the file."""


def download(url: str, path: Path, sha256: str, progress: Progress) -> None:
    """Download `url` to `path`; a partial download in `<path>.part` is resumed, by this call or a later one.

    Args:
        url: address of the file; the environment's proxies are used.
        path: destination, which exists only once the file is complete.
        sha256: prefix of the file's SHA-256, in hexadecimal.
        progress: called with the number of bytes received and of the whole file.
    Raises:
        WeightsError: the server cannot be reached or refuses, or the hash is wrong.
        DiskError: the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if not (part.exists() and has_sha256(part, sha256)):
            _fetch(url, part, progress)
            _check(part, sha256)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise DiskError(f"{path.name} cannot be written: {error.strerror or error}.") from None


def check_connection(url: str) -> None:
    """Raise WeightsError unless the server, or its proxy, accepts a connection within CONNECT_SECONDS."""
    answers: queue.Queue[bool] = queue.Queue()

    def try_connect() -> None:
        answers.put(can_connect(url))

    # Name resolution has no timeout, so a daemon thread does it and is abandoned if it takes too long.
    threading.Thread(target=try_connect, daemon=True).start()
    with suppress(queue.Empty):
        if answers.get(timeout=CONNECT_SECONDS):
            return
    raise WeightsError(f"There is no connection to {urlsplit(url).hostname}, where the weights are published.")


def can_connect(url: str) -> bool:
    """Return whether the server, or its proxy, accepts a connection now."""
    try:
        socket.create_connection(
            _proxy_or_server_address(url), timeout=CONNECT_SECONDS / 2
        ).close()  # for each of the name's addresses
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path`, one process at a time; `wait` is called once if another process holds it.

    The system releases the lock when its process ends, however it ends. Raises DiskError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise DiskError(f"The folder {path.parent.name} cannot be written to: {error.strerror}.") from None
    with file:
        if not _try_lock(file):
            wait()
            while not _try_lock(file):
                time.sleep(0.1)
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _proxy_or_server_address(url: str) -> tuple[str, int]:
    """Host and port that a request for `url` can_connect to: its server's, or its proxy's."""
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if proxy:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _fetch(url: str, part: Path, progress: Progress) -> None:
    """Resume after each lost connection, as long as every attempt receives something."""
    while True:
        before = _size(part)
        try:
            return _receive(url, part, progress)
        except _ConnectionLostError as cut:
            if _size(part) > before:
                continue
            raise WeightsError(
                f"The connection to {urlsplit(url).hostname} broke ({cut}); try again to resume the download."
            ) from None


def _receive(url: str, part: Path, progress: Progress) -> None:
    """Append the rest of the file to `part`. Raises _ConnectionLostError if it is still incomplete."""
    offset = _size(part)
    with _open(url, offset, part) as response:
        offset = offset if response.status == 206 else 0
        size = offset + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if offset else "wb") as file:
            for block in _blocks(response):
                file.write(block)
                progress(file.tell(), max(size, file.tell()))
            file.flush()
            os.fsync(file.fileno())
    if _size(part) < size:
        raise _ConnectionLostError(f"after {_size(part)} of {size} bytes")


def _open(url: str, offset: int, part: Path) -> http.client.HTTPResponse:
    request = Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})  # noqa: S310 (an address of the table of models)
    try:
        response: http.client.HTTPResponse = build_opener().open(request, timeout=STALL_SECONDS)
    except HTTPError as error:
        if error.code == 416:  # range not satisfiable: the part is longer than the file
            part.unlink(missing_ok=True)
        raise WeightsError(f"{urlsplit(url).hostname} answered {error.code} for {part.stem}.") from None
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLostError(getattr(error, "reason", None) or error) from None
    return response


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK):
            yield block
    except (OSError, http.client.HTTPException):
        return


def _check(part: Path, sha256: str) -> None:
    if not has_sha256(part, sha256):
        part.unlink()
        raise WeightsError(f"{part.stem} came damaged: its SHA-256 does not begin with {sha256}. It was not kept.")


def _sync_folder(folder: Path) -> None:
    """Make the rename durable, where the system supports fsync of a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
