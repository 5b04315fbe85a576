"""More open connections than the system allows open files at first."""

import contextlib
import http.client
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.connections import open_file_limit
from tests.support.wave_files import SONG


@contextlib.contextmanager
def served_and_kept(port: int, number: int):
    """Hold `number` connections, each of which has had one response."""
    with contextlib.ExitStack() as kept:
        for _ in range(number):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            kept.enter_context(contextlib.closing(connection))
            connection.request("GET", "/static/style.css")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        yield


def _nb_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_the_server_raises_its_open_file_limit(start_server):
    with open_file_limit(256):
        server = start_server()
    with open_file_limit(1024), served_and_kept(server.port, 400):
        assert server.client().uploaded_job(SONG)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the server's files as Linux tells of them")
def test_file_descriptors_above_1024_work(home, start_server):
    """select() supports at most 1024 descriptors (FD_SETSIZE); the last connections have higher ones."""
    with open_file_limit(4096):
        client = start_server(max_connections=1300).client()
        with served_and_kept(client.port, 1100):
            assert _nb_files(processes.wait_for_one(home, "server.py")) > 1100
            job = client.uploaded_job(SONG)
            assert client.get(f"/downloads/{job}/mixture.wav").body == SONG
            assert client.get("/cgi-bin/songs.py").status == 200
            assert client.post("/cgi-bin/delete.py", job=job).status == 303
