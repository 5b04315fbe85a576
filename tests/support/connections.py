"""Many connections at the same time, and the limit on open files that they need."""

import contextlib
import socket
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def open_connections(port: int, number: int, sent: bytes) -> Iterator[None]:
    """Hold `number` connections that have sent `sent` and then send nothing more."""
    with contextlib.ExitStack() as connections:
        for _ in range(number):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            connection.sendall(sent)
        yield


def incomplete_form(route: str) -> bytes:
    """The head of a form for a script, and the first bytes of its body; the rest is missing."""
    lines = [f"POST /cgi-bin/{route}.py HTTP/1.1", "Host: localhost", "Content-Length: 1000"]
    lines += ["Content-Type: application/x-www-form-urlencoded", "", "job="]
    return "\r\n".join(lines).encode()


@contextlib.contextmanager
def open_file_limit(number: int) -> Iterator[None]:
    """The soft limit on open files (RLIMIT_NOFILE) of this process and of those that it starts."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < number:
        pytest.skip("the system allows fewer files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
