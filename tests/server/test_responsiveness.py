"""What keeps the server responsive under load: priorities, and the queue for new connections."""

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.forms import file_part
from tests.support.waiting import wait_until

MOST_WAITING = Path("/proc/sys/net/core/somaxconn")  # the system's limit on the listen backlog
CROWD = 500


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process as Linux tells of it")
def test_scripts_and_the_worker_run_at_a_lower_priority(start_server):
    server = start_server()
    with server.client().open_upload(200_000) as connection:
        connection.sendall(file_part(bytes(100_000)))
        script = processes.wait_for_one(server.home, "upload.py")
        worker = processes.wait_for_one(server.home, "webapp.worker.main")
        wait_until(lambda: _niceness(server.process.pid) < _niceness(script) == _niceness(worker))


def _niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


@pytest.mark.skipif(
    not MOST_WAITING.exists() or int(MOST_WAITING.read_text()) < CROWD, reason="the system lets fewer wait"
)
def test_a_busy_server_queues_hundreds_of_new_connections(start_server):
    server = start_server()
    with processes.paused(server.process.pid), contextlib.ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=0.9))
