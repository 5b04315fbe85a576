"""One file from the web, whole or not at all: resumed where it was cut, its hash checked, renamed at the end."""

import http.client
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener, getproxies, proxy_bypass

from .errors import DiskError, WeightsError
from .integrity import has_sha256

REACH_SECONDS = 4.0  # to find out that there is no network, name resolution included
STALL_SECONDS = 20.0  # without a byte, once there is one
BLOCK = 1 << 18

Progress = Callable[[int, int], None]


class _CutError(Exception):
    """The connection ended before the file did."""


def download(url: str, path: Path, sha256: str, progress: Progress) -> None:
    """Fetch `url` into `path`, whose SHA-256 in hexadecimal must begin with `sha256`.

    What a broken connection leaves in `<path>.part` is resumed, by this call or a later one.
    `progress` is called with the bytes that are here and those of the whole file (0: unknown).
    Obeys the proxies of the environment. Raises WeightsError, DiskError.
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


def reach(url: str) -> None:
    """Raise WeightsError unless the server, or the proxy before it, takes a connection within REACH_SECONDS."""
    door = _door(url)
    answers: queue.Queue[bool] = queue.Queue()

    def knock() -> None:
        try:
            socket.create_connection(door, timeout=REACH_SECONDS / 2).close()  # for each of the name's addresses
            answers.put(True)
        except OSError:
            answers.put(False)

    # A name resolution cannot be given a time limit; a thread can be left behind.
    threading.Thread(target=knock, daemon=True).start()
    with suppress(queue.Empty):
        if answers.get(timeout=REACH_SECONDS):
            return
    raise WeightsError(f"There is no connection to {urlsplit(url).hostname}, where the weights are published.")


@contextmanager
def locked(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path`, so that one process at a time is inside; `wait` is called once when another is.

    The system lets go of the lock when its process dies, however it dies. Raises DiskError.
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


def _try_lock(file) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _door(url: str) -> tuple[str, int]:
    """Host and port that a request for `url` connects to: its server's, or its proxy's."""
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname) else getproxies().get(parts.scheme)
    if proxy:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _fetch(url: str, part: Path, progress: Progress) -> None:
    """Go on after each cut, for as long as an attempt brings something."""
    while True:
        before = _size(part)
        try:
            return _receive(url, part, progress)
        except _CutError as cut:
            if _size(part) > before:
                continue
            raise WeightsError(
                f"The connection to {urlsplit(url).hostname} broke ({cut}); try again to go on."
            ) from None


def _receive(url: str, part: Path, progress: Progress) -> None:
    """Append to `part` what is missing of it. Raises _CutError when more is missing afterwards."""
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
        raise _CutError(f"after {_size(part)} of {size} bytes")


def _open(url: str, offset: int, part: Path) -> http.client.HTTPResponse:
    request = Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})  # noqa: S310 (an address of the table of models)
    try:
        return build_opener().open(request, timeout=STALL_SECONDS)
    except HTTPError as error:
        if error.code == 416:  # longer than the whole file: of no use
            part.unlink(missing_ok=True)
        raise WeightsError(f"{urlsplit(url).hostname} answered {error.code} for {part.stem}.") from None
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(getattr(error, "reason", None) or error) from None


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
    """Make the rename last, where the system lets a folder be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
