"""Send thousands of raw requests to a real server: valid, hand-written, and corrupted versions of both.

Each must get a response or a closed connection within TIMEOUT_SECONDS. A failure is reported with the request and its
number; the same seed and number produce the same bytes.

Usage, in a copy of the project: `python -m study.robustness.raw_requests <requests> <seed>`. Prints the rows as JSON.
Linux only.
"""

import json
import random
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from study.benchmarks import page_polling, serving
from study.robustness.load import growth_row
from study.robustness.raw_request_senders import BROKEN_OFF, SENDERS, Send, choose_request
from study.robustness.request_table import DONE, UPLOADED
from study.robustness.results import MAX_FAILURES, Row, print_rows, row
from study.robustness.sample_song import SONG
from webapp.jobs.store import TRASH_PREFIX
from webapp.server.security_headers import SECURITY_HEADERS

TIMEOUT_SECONDS = 10.0
NB_CLIENTS = 4
ROUND_REQUESTS = 100  # that use the same two jobs
MAX_HEADER_BYTES = 64 << 10  # the server may close the connection of a client that sends more
RESPONSE_HEADER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\nServer: SoundSeparator ?\r\n(.*?)\r\n\r\n", re.DOTALL)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JOB_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
ALLOWED_5XX = (501, 505)  # caused by the client
WRITABLE = ("uploads", "downloads", serving.LOG)
MIN_SOURCE_LINE = 24  # bytes; shorter lines may appear in a response by chance
SOURCE_FILES = ("server.py", "webapp/**/*.py", "cgi-bin/*.py", "webapp/engines/engines.toml")


def main() -> None:
    nb_requests, seed = map(int, sys.argv[1:3])
    home = Path.cwd() / "served"
    with page_polling.queued_jobs(home, 2), serving.run_server_copy(home) as server:  # and the worker does not start
        print_rows(_Trial(server, home, seed).rows(nb_requests))


class _Trial:
    """Requests to `server`, which runs on the copy of the project in `home`."""

    def __init__(self, server: serving.Server, home: Path, seed: int):
        self.server, self.home, self.seed = server, home, seed
        self.known_jobs = {path.name for path in (home / "uploads").iterdir()}
        paths = (str(path).encode() for path in (home.parent, sys.prefix, "site-packages"))
        self.secrets = [b"Traceback", *paths]  # that no response may contain
        self.source_lines = {
            line for pattern in SOURCE_FILES for path in home.glob(pattern) for line in _long_lines(path)
        }
        self.counts: Counter[str] = Counter()
        self.failures: dict[str, list[dict[str, object]]] = {name: [] for name in SENDERS}
        self.nb_unanswered_uploads = 0
        self.jobs: dict[bytes, bytes] = {}  # the placeholder of a job in a request → the job's id

    def rows(self, nb_requests: int) -> list[Row]:
        """Send all requests. Returns a row for each way of sending, and two for the state afterwards."""
        self._send_round(range(ROUND_REQUESTS))  # a warm-up, after which the server has the threads that it keeps
        usage, files = self.server.idle_resource_usage(), _protected_files(self.home)
        for start in range(ROUND_REQUESTS, nb_requests, ROUND_REQUESTS):
            self._send_round(range(start, min(start + ROUND_REQUESTS, nb_requests)))
        rows = [row(name, self.counts[name], self.failures[name]) for name in SENDERS]
        rows.append(row("files and log afterwards", 1, self._leftovers(files)))
        return [*rows, growth_row("server before → after", usage, self.server.idle_resource_usage())]

    def _send_round(self, numbers: range) -> None:
        self.jobs = {DONE: self._create_done_job().encode(), UPLOADED: self._upload().encode()}
        with ThreadPoolExecutor(NB_CLIENTS) as threads:
            list(threads.map(self._try, numbers))

    def _upload(self) -> str:
        song = self.home.parent / "song.wav"
        song.write_bytes(SONG)
        self.known_jobs.add(job := self.server.upload(song))
        return job

    def _create_done_job(self) -> str:
        """Create a job with stems, as the worker leaves it."""
        job = self._upload()
        state = self.home / "uploads" / job / "state.json"
        stems = self.home / "downloads" / job / "song"
        stems.mkdir(parents=True)
        for name in ("vocals", "residual"):
            (stems / f"{name}.wav").write_bytes(SONG)
        state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "done", "model": "starter"}))
        return job

    def _try(self, number: int) -> None:
        name, request, max_responses = choose_request(random.Random(f"{self.seed} {number}"))
        for placeholder, job in self.jobs.items():
            request = request.replace(placeholder, job)
        self.counts[name] += 1
        try:
            response = _exchange(self.server.port, SENDERS[name], request)
        except (OSError, EOFError) as error:
            self._report(name, number, request, repr(error))
            return
        self.known_jobs |= {job.decode() for job in JOB_ID.findall(response)}
        if name == BROKEN_OFF:
            self.nb_unanswered_uploads += b"/cgi-bin/" in request
        for failure in self._response_failures(response, max_responses):
            self._report(name, number, request, failure)

    def _report(self, name: str, number: int, request: bytes, failure: str) -> None:
        if len(self.failures[name]) < MAX_FAILURES:
            self.failures[name].append({"failure": failure, "number": number, "request": repr(request[:1000])})

    def _response_failures(self, response: bytes, max_responses: float) -> Iterator[str]:
        response = response.replace(CONTINUE, b"")
        headers = list(RESPONSE_HEADER.finditer(response))
        if response and (not headers or headers[0].start()):
            yield f"a response without a header: {response[:100]!r}"
        for header in headers:
            if int(header[1]) >= 500 and int(header[1]) not in ALLOWED_5XX:
                yield f"status {int(header[1])}"
            lines = header[2].decode("latin-1").split("\r\n")
            yield from (f"no {name}" for name, value in SECURITY_HEADERS.items() if f"{name}: {value}" not in lines)
        if len(headers) > max_responses:
            yield f"{len(headers)} responses: a second request was smuggled"
        yield from (f"the response contains {secret!r}" for secret in self.secrets if secret in response)
        lines_of_source = (line for line in map(bytes.strip, response.splitlines()) if line in self.source_lines)
        yield from (f"the response contains the source line {line!r}" for line in lines_of_source)

    def _leftovers(self, files: dict[str, tuple[int, int]]) -> Iterator[str]:
        """Yield what the requests changed on the disk or left in the log and must not. `files` are those before."""
        current = _protected_files(self.home)
        yield from (f"{path} was written" for path in current if current[path] != files.get(path))
        yield from (f"{path} was deleted" for path in files if path not in current)
        uploads, downloads = _folders(self.home / "uploads"), _folders(self.home / "downloads")
        jobs = {path.name.removeprefix(TRASH_PREFIX) for path in uploads}
        unknown = jobs - self.known_jobs
        if len(unknown) > self.nb_unanswered_uploads:
            yield f"{len(unknown)} jobs that no response named"
        for path in uploads:
            if not (path / "state.json").is_file():
                names = sorted(file.name for file in path.iterdir())
                yield f"a folder without an owner in uploads, with {names}"
        orphans = [path for path in downloads if path.name not in jobs]
        yield from ("a folder without an owner in downloads" for _ in orphans)
        with (self.home / serving.LOG).open(errors="replace") as log:
            yield from (f"in the log: {line}" for line in log if line.startswith("Traceback"))
        if b"ok" not in self.server.get("/health"):
            yield "the server does not respond"


def _exchange(port: int, send: Send, request: bytes) -> bytes:
    """Send a request and return everything that comes back.

    Raises OSError or EOFError if nothing, or no end, comes within TIMEOUT_SECONDS.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        deadline, response = time.monotonic() + TIMEOUT_SECONDS, b""
        with suppress(OSError):  # the server may have refused the request and closed the connection already
            send(connection, request)
        try:
            while connection.fileno() >= 0 and (piece := connection.recv(1 << 16)):
                response += piece
                if time.monotonic() > deadline:
                    raise EOFError("the response does not end")
        except ConnectionError:
            if not response and len(request) < MAX_HEADER_BYTES:
                raise
        return response


def _long_lines(path: Path) -> list[bytes]:
    """Return the lines of a source file that are long enough to be recognized in a response."""
    return [line for line in map(bytes.strip, path.read_bytes().splitlines()) if len(line) >= MIN_SOURCE_LINE]


def _protected_files(home: Path) -> dict[str, tuple[int, int]]:
    """Return the size and time of every file that no request may write: all but jobs, the log and compiled code."""
    found = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    kept = [path for path in found if path.parts[0] not in WRITABLE and "__pycache__" not in path.parts]
    return {str(path): ((home / path).stat().st_size, (home / path).stat().st_mtime_ns) for path in kept}


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()]


if __name__ == "__main__":
    main()
