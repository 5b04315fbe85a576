"""The server's side of CGI (RFC 3875): start a script on a connection, and read the head of what it answers."""

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from webapp import logs, priority
from webapp.limits import SCRIPT_SECONDS, SLOWEST, Limits

# What a script may know of the environment: how to start, what a locale says, how the log looks, what is limited.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "HOME")
PASSED_ON += (logs.AS_JSON, *Limits().variables())


@dataclass(frozen=True)
class Answer:
    """A script's answer: the HTTP status, its headers, and the rest of its output as a stream."""

    status: int
    headers: Message
    body: BinaryIO


class BadScript(Exception):
    """The script ended, or was ended, without a header block."""


@contextmanager
def answering(script: Path, variables: dict[str, str], body: BinaryIO, length: int) -> Iterator[Answer]:
    """Run `script` with `body`, of which `length` bytes are its own, as standard input; it is gone at the block's end.

    Raises BadScript if it does not answer in the time that it has: a minute, and more by the length of its body.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", str(script)],
        stdin=body if os.name != "nt" else subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | variables,
    )
    priority.lower(process.pid, priority.WORK)
    limit = threading.Timer(SCRIPT_SECONDS + length / SLOWEST, process.kill)
    limit.start()
    try:
        if os.name == "nt":
            threading.Thread(target=_feed, args=(body, process.stdin, length), daemon=True).start()
        answer = _answer(process.stdout)
        limit.cancel()  # from here on it is the visitor who may be slow
        yield answer
    finally:
        limit.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _answer(output: BinaryIO) -> Answer:
    try:
        headers = http.client.parse_headers(output)
        status = int(headers["Status"].split()[0])
    except (http.client.HTTPException, TypeError, ValueError, IndexError, AttributeError):
        raise BadScript from None
    del headers["Status"]
    return Answer(status, headers, output)


def _feed(body: BinaryIO, stdin: BinaryIO, length: int) -> None:
    """Windows cannot hand a socket over as standard input, so a thread carries the body, in little memory."""
    with stdin:
        while length and (chunk := body.read(min(length, 1 << 16))):
            stdin.write(chunk)
            length -= len(chunk)
