"""Load test of a real server: many concurrent connections, then slow clients.

It checks that every client is served, measures how long pages take, and checks that the server leaks no resources.

Usage, in a copy of the project: `python -m study.robustness.load <seconds> <songs> [<share>]`. Prints the rows as JSON.
200 connections stay open for <seconds>, and <songs> songs are uploaded and queued. A <share> of 0.25 opens a quarter of
the connections of each kind and runs the slow clients for a quarter of the time. Linux only.
"""

import http.client
import io
import json
import resource
import socket
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from study.benchmarks import page_polling, serving
from study.robustness.results import Row, print_rows, row

NB_JOBS = 2000  # half of them queued
NB_POLLING, NB_DOWNLOADING, NB_UPLOADING = 120, 50, 30  # concurrent clients
NB_POLLING_BESIDE, NB_UPLOADING_BESIDE = 10, 2  # clients that are served beside slow or idle connections
NB_SLOW = 300
NB_IDLE = 1200  # more than the server's limit of connections
NB_ENQUEUING = 4  # clients that upload and queue songs at the same time
BESIDE_SECONDS = 8.0
SLOT_SECONDS = 10.0  # within which the slots of aborted uploads must be free
WARM_UP_SECONDS = 15.0  # until the server has the threads and the memory that it keeps
NB_FILES = 4096  # that this process may open
ALLOWED_GROWTH = {"MB": 30, "threads": 3, "files": 5}  # Python keeps some memory of a peak for later


def main() -> None:
    seconds, nb_songs = float(sys.argv[1]), int(sys.argv[2])
    share = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    _raise_file_limit()
    home = Path.cwd()
    with (
        page_polling.queued_jobs(home / "served", NB_JOBS) as queued,
        serving.run_server_copy(home / "served") as server,
    ):
        song = home / "song.wav"
        _write_song(song)
        print_rows(_rows(_LoadTest(server, song, queued, share), seconds, nb_songs))


def _rows(test: "_LoadTest", seconds: float, nb_songs: int) -> list[Row]:
    server = test.server
    test.run_clients(min(seconds, WARM_UP_SECONDS))
    before = server.idle_resource_usage()
    rows = [test.row(f"{test.nb_clients} connections for {seconds:g} s", lambda: test.run_clients(seconds))]
    rows.append(growth_row("server before → after", before, server.idle_resource_usage()))
    nb_slow = round(NB_SLOW * test.share)
    for name, request in _SLOW_REQUESTS.items():
        rows.append(test.row(f"{nb_slow} {name}", lambda request=request: test.run_beside(nb_slow, request)))  # type: ignore[misc]
    rows.append(test.row(f"{NB_IDLE} idle connections, more than the limit", lambda: test.run_beside(NB_IDLE)))
    rows.append(growth_row("server before → after all these", before, server.idle_resource_usage()))
    rows.append(test.queue_songs(nb_songs))
    return rows


def growth_row(name: str, before: dict[str, int], after: dict[str, int]) -> Row:
    """Compare a server's `resource_usage` before and after a trial, which fails if one grew too much."""
    figures = ", ".join(f"{before[resource]} → {after[resource]} {resource}" for resource in before)
    has_grown = any(after[resource] - before[resource] > most for resource, most in ALLOWED_GROWTH.items())
    return row(f"{name}: {figures}", 1, [figures] if has_grown else [])


class _LoadTest:
    """Clients of `server`, each with a connection of its own. `queued` are the ids of queued jobs."""

    def __init__(self, server: serving.Server, song: Path, queued: list[str], share: float):
        self.server, self.song, self.queued, self.share = server, song, queued, share
        self.job = server.upload(song)
        numbers = {self._poll: NB_POLLING, self._download_range: NB_DOWNLOADING, self._upload: NB_UPLOADING}
        self.clients = [client for client, number in numbers.items() for _ in range(round(number * share))]
        self.nb_clients = len(self.clients)
        self.times: list[float] = []  # of state pages, in seconds
        self.failures: list[str] = []
        self.nb_requests = 0

    def row(self, name: str, run: Callable[[], None]) -> Row:
        """Run clients, and return a row with the 99th percentile of the times of state pages."""
        self.times, self.failures, self.nb_requests = [], [], 0
        run()
        percentile = sorted(self.times)[int(0.99 * len(self.times))] if self.times else float("inf")
        name += f": state pages, 99th percentile {1e3 * percentile:.0f} ms"
        return row(name, self.nb_requests, self.failures)

    def run_clients(self, seconds: float) -> None:
        """Run clients that poll state pages, download ranges, and upload songs."""
        self._run(self.clients, seconds)

    def run_beside(self, number: int, request: bytes = b"") -> None:
        """Run a few clients beside `number` connections that have sent `request` and continue one byte a second.

        Without a request, the connections are idle.
        """
        self._wait_for_upload_slot()
        clients = [self._poll] * NB_POLLING_BESIDE + [self._upload] * NB_UPLOADING_BESIDE
        with _slow_connections(self.server.port, number, request):
            self._run(clients, BESIDE_SECONDS * self.share)

    def _wait_for_upload_slot(self) -> None:
        """Wait until the scripts of aborted uploads have ended. Raises the last error after SLOT_SECONDS."""
        end = time.monotonic() + SLOT_SECONDS
        while True:
            try:
                self.server.delete(self.server.upload(self.song))
                return
            except SystemExit:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def queue_songs(self, number: int) -> Row:
        """Upload and queue songs, a few at a time. Each must get its own place, behind the jobs that were queued."""
        begin = time.monotonic()
        with ThreadPoolExecutor(NB_ENQUEUING) as threads:
            jobs = list(threads.map(lambda _: self._enqueue(), range(number)))
        milliseconds = 1e3 * (time.monotonic() - begin) / number
        last = self._enqueue()
        positions = sorted(self._queue_position(job) for job in jobs)
        first, end = len(self.queued) + 1, len(self.queued) + number + 1
        failures = [] if positions == list(range(first, end)) else [f"the places are {positions}, not from {first}"]
        if (position := self._queue_position(last)) != end:
            failures.append(f"the last song is number {position} in the queue, not {end}")
        name = f"{number} songs uploaded and queued: {milliseconds:.0f} ms each; the last is number {end} in the queue"
        return row(name, number + 1, failures)

    def _enqueue(self) -> str:
        job = self.server.upload(self.song)
        response = self.server.get("/cgi-bin/separate.py", "POST", f"job={job}")
        _expect(b'"queued"' in response, response)
        return job

    def _queue_position(self, job: str) -> int:
        return json.loads(self.server.get(f"/cgi-bin/job.py?job={job}"))["queue_position"]

    def _run(self, clients: list[Callable[[], None]], seconds: float) -> None:
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._repeat, args=(client, end)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, client: Callable[[], None], end: float) -> None:
        while time.monotonic() < end:
            try:
                client()
                self.nb_requests += 1
            except (OSError, UnexpectedResponse, http.client.HTTPException, SystemExit) as error:
                self.failures.append(f"{client.__name__}: {error!r}")

    def _poll(self) -> None:
        begin = time.monotonic()
        response = self.server.get(f"/cgi-bin/job.py?job={self.queued[int(begin * 1e3) % len(self.queued)]}")
        self.times.append(time.monotonic() - begin)
        _expect(b'"queued"' in response, response)
        time.sleep(max(0.0, begin + 1 - time.monotonic()))  # an open page polls once a second

    def _download_range(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        start = int(time.monotonic() * 1e6) % 1000000
        headers = {"Range": f"bytes={start}-{start + 99999}"}
        connection.request("GET", f"/downloads/{self.job}/mixture.wav", headers=headers)
        response = connection.getresponse()
        _expect((response.status, len(response.read())) == (206, 100000), response.status)
        connection.close()
        time.sleep(0.5)

    def _upload(self) -> None:
        self.server.delete(self.server.upload(self.song))
        time.sleep(3)


class UnexpectedResponse(Exception):
    """The server sent another response than the right one."""


def _expect(condition: bool, response: object) -> None:
    if not condition:
        raise UnexpectedResponse(response)


_POST = "POST /cgi-bin/%s.py HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 60000\r\n\r\n"
_SLOW_REQUESTS = {
    "slow request headers": b"GET /",
    "slow forms": (_POST % ("delete", "application/x-www-form-urlencoded")).encode() + b"job=",
    "slow uploads": (_POST % ("upload", f"multipart/form-data; boundary={serving.BOUNDARY}")).encode()
    + serving.HEAD[:9],
    "slow headers of 60 kB": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 60_000,
    "slow readers": b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
}


@contextmanager
def _slow_connections(port: int, number: int, request: bytes) -> Iterator[None]:
    stop = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(number)]
        for connection in connections:
            connection.sendall(request)
        thread = threading.Thread(target=_continue_slowly, args=(connections if request else [], stop))
        thread.start()
        yield
        stop.set()
        thread.join()


def _continue_slowly(connections: list[socket.socket], stop: threading.Event) -> None:
    """Send and receive one byte a second on each connection."""
    while not stop.wait(1):
        for connection in connections:
            with suppress(OSError):
                connection.send(b"a")
                connection.recv(1, socket.MSG_DONTWAIT)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = NB_FILES if hard == resource.RLIM_INFINITY else min(NB_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _write_song(path: Path) -> None:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 5000)
    path.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
