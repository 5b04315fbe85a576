"""What lets the server answer soon when a crowd comes at once."""

import contextlib
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from tests import processes
from tests.test_bad_input import SONG, open_post, part

MOST_WAITING = Path("/proc/sys/net/core/somaxconn")  # that the system allows, whatever a server asks for
CROWD = 500


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process as Linux tells of it")
def test_scripts_and_the_worker_let_the_server_go_first(serve):
    server = serve()
    with open_post(server.client(), 100_000) as connection:
        connection.sendall(part(content=SONG)[:1000])
        script = processes.one(server.home, "upload.py")
        worker = processes.one(server.home, "webapp.background.worker")
        deadline = time.monotonic() + 10
        while not _niceness(server.process.pid) < _niceness(script) == _niceness(worker):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


@pytest.mark.skipif(
    not MOST_WAITING.exists() or int(MOST_WAITING.read_text()) < CROWD, reason="the system lets fewer wait"
)
def test_a_crowd_that_comes_while_the_server_is_busy_need_not_knock_again(serve):
    server = serve()
    with processes.stopped(server.process.pid), contextlib.ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=0.9))
