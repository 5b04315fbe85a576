"""The server's side of CGI (RFC 3875): start a script on a connection, and read the head of its response."""

import http.client
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from webapp import logs, priority
from webapp.limits import Limits

# What a script gets of the server's environment: what it needs to start, the locale, and the log's format.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "HOME", logs.AS_JSON)

CHUNK_BYTES = 1 << 16
SERVER = "SERVER_PROCESS"  # the environment variable with the server's process id, by which a script notices its end

log = logging.getLogger("server")


@dataclass(frozen=True)
class Response:
    """A script's response: the HTTP status, the headers, and the body as a stream."""

    status: int
    headers: Message
    body: IO[bytes]

    @property
    def length(self) -> int | None:
        """The number of bytes that the script announces, None if it does not."""
        return int(self.headers["Content-Length"]) if "Content-Length" in self.headers else None

    def chunks(self) -> Iterator[bytes]:
        """The body, and nothing that the script may have written behind its announced end."""
        left = sys.maxsize if self.length is None else self.length
        while left and (chunk := self.body.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


class BadResponse(Exception):
    """The script could not be started, or has ended, or was killed, without a header block."""


@contextmanager
def run(
    script: Path,
    variables: dict[str, str],
    body: BufferedIOBase,
    length: int,
    limits: Limits,
    seconds: float,
    has_started: Callable[[Callable[[], None]], None],
) -> Iterator[Response]:
    """Run `script` with the `length` bytes of `body` as its standard input. At the block's end it is killed.

    `has_started` gets a function that kills the script.
    Raises BadResponse if it cannot be started, or does not answer within `seconds` and the time that a slow body may
    take.
    """
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    server = priority.ONE_THREAD | {SERVER: str(os.getpid())}
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", str(script)],
            stdin=body.fileno() if os.name != "nt" else subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=passed_on | limits.variables() | variables | server,
        )
    except (OSError, ValueError) as error:  # no memory or process left, or an environment that the system refuses
        log.error("%s cannot be started: %s", script.name, error)
        raise BadResponse from None
    assert process.stdout is not None  # noqa: S101 (for the type checker)
    has_started(process.kill)
    priority.lower(process.pid, priority.WORK)
    timeout = threading.Timer(seconds + length / limits.min_bytes_per_second, process.kill)
    timeout.start()
    try:
        if process.stdin is not None:
            threading.Thread(target=_feed, args=(body, process.stdin, length), daemon=True).start()
        response = _read_head(process.stdout)
        timeout.cancel()  # from here on, it is the client that may be slow
        yield response
    finally:
        timeout.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _read_head(output: IO[bytes]) -> Response:
    try:
        headers = http.client.parse_headers(output)
        status = int(headers["Status"].split()[0])
    except (http.client.HTTPException, TypeError, ValueError, IndexError, AttributeError):
        raise BadResponse from None
    del headers["Status"]
    return Response(status, headers, output)


def _feed(body: BufferedIOBase, stdin: IO[bytes], length: int) -> None:
    """Copy the body to the script. Windows cannot pass a socket on as standard input."""
    with stdin:
        while length and (chunk := body.read(min(length, 1 << 16))):
            stdin.write(chunk)
            length -= len(chunk)
