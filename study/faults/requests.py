"""Raw requests by the thousand at a real server: honest ones, hand-made ones, and both spoiled.

`python -m study.faults.requests <requests> <seed>` in a copy of the project; prints the rows as JSON. Linux only.
Each gets an answer, or an end of its connection, in ANSWER_SECONDS; what is wrong is told with the request and its
number, which with the same seed makes the same bytes.
"""

import json
import math
import random
import re
import socket
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from study import open_pages, serving
from study.faults.crashes import SONG
from study.faults.crowd import grown
from study.faults.fuzz import spoiled
from study.faults.request_table import BY_SCRIPTS, DONE, HAND_MADE, SERVED, SMUGGLED, UPLOADED
from webapp.serving.connection import SECURITY_HEADERS

ANSWER_SECONDS = 10.0
NB_CLIENTS = 4
NB_A_ROUND = 100  # for which the same two jobs are asked for
LARGE = 64 << 10  # whoever sends more than a head may have need not be heard to the end
HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\nServer: SoundSeparator ?\r\n(.*?)\r\n\r\n", re.DOTALL)
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
JOB = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
MAY_FAIL = (501, 505)  # the 5xx that are the sender's fault
CHANGING = ("uploads", "downloads", serving.LOG)
SHORTEST_LINE = 24  # of the source, by which it is known again
CODE = ("server.py", "webapp/**/*.py", "cgi-bin/*.py", "webapp/engines.toml")


def main() -> None:
    nb_requests, seed = map(int, sys.argv[1:3])
    home = Path.cwd() / "served"
    with open_pages.waiting_jobs(home, 2), serving.serving(home) as server:  # the first holds the worker back
        print(json.dumps(_Trial(server, home, seed).rows(nb_requests)))


class _Trial:
    """Requests to `server`, over the copy of the project in `home`."""

    def __init__(self, server: serving.Server, home: Path, seed: int):
        self.server, self.home, self.seed = server, home, seed
        self.known = {path.name for path in (home / "uploads").iterdir()}
        self.paths = [b"Traceback", *(str(path).encode() for path in (home.parent, sys.prefix, "site-packages"))]
        self.source = {line for pattern in CODE for path in home.glob(pattern) for line in _long_lines(path)}
        self.counts: Counter[str] = Counter()
        self.found: dict[str, list] = {name: [] for name in SENDERS}
        self.nb_unanswered_uploads = 0
        self.jobs: dict[bytes, bytes] = {}

    def rows(self, nb_requests: int) -> list[dict]:
        """Send them all; what was wrong, by the way they were sent, and what was wrong afterwards."""
        self._round(range(NB_A_ROUND))  # after which threads and memory are there that stay for the next time
        before, there = self.server.sizes_at_rest(), _files(self.home)
        for start in range(NB_A_ROUND, nb_requests, NB_A_ROUND):
            self._round(range(start, min(start + NB_A_ROUND, nb_requests)))
        told, trials, wrong = grown(before, self.server.sizes_at_rest())
        rows = [{"what": name, "trials": self.counts[name], "found": self.found[name]} for name in SENDERS]
        rows.append({"what": "what lies on the disk and in the log", "trials": 1, "found": list(self._left(there))})
        return [*rows, {"what": f"what stays in the server: {told}", "trials": trials, "found": wrong}]

    def _round(self, numbers: range) -> None:
        self.jobs = {DONE: self._done_job().encode(), UPLOADED: self._upload().encode()}
        with ThreadPoolExecutor(NB_CLIENTS) as clients:
            list(clients.map(self._try, numbers))

    def _upload(self) -> str:
        song = self.home.parent / "song.wav"
        song.write_bytes(SONG)
        self.known.add(job := self.server.upload(song))
        return job

    def _done_job(self) -> str:
        """A job whose stems are there, as the worker would leave it."""
        job = self._upload()
        state = self.home / "uploads" / job / "state.json"
        stems = self.home / "downloads" / job / "song"
        stems.mkdir(parents=True)
        for name in ("vocals", "residual"):
            (stems / f"{name}.wav").write_bytes(SONG)
        state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "done", "model": "starter"}))
        return job

    def _try(self, number: int) -> None:
        name, raw, nb_most = _request(random.Random(f"{self.seed} {number}"))
        for stands_for, job in self.jobs.items():
            raw = raw.replace(stands_for, job)
        self.counts[name] += 1
        try:
            answer = _exchange(self.server.port, SENDERS[name], raw)
        except (OSError, EOFError) as error:
            self._note(name, number, raw, repr(error))
            return
        self.known |= {job.decode() for job in JOB.findall(answer)}
        if name == BROKEN_OFF:
            self.nb_unanswered_uploads += b"/cgi-bin/" in raw
        for wrong in self._wrongs(answer, nb_most):
            self._note(name, number, raw, wrong)

    def _note(self, name: str, number: int, raw: bytes, wrong: str) -> None:
        if len(self.found[name]) < 20:
            self.found[name].append({"wrong": wrong, "number": number, "request": repr(raw[:1000])})

    def _wrongs(self, answer: bytes, nb_most: float) -> Iterator[str]:
        """What must not be in any answer."""
        answer = answer.replace(GO_ON, b"")
        heads = list(HEAD.finditer(answer))
        if answer and (not heads or heads[0].start()):
            yield f"an answer without a head: {answer[:100]!r}"
        for head in heads:
            if int(head[1]) >= 500 and int(head[1]) not in MAY_FAIL:
                yield f"answered {int(head[1])}"
            lines = head[2].decode("latin-1").split("\r\n")
            yield from (f"no {name}" for name, value in SECURITY_HEADERS.items() if f"{name}: {value}" not in lines)
        if len(heads) > nb_most:
            yield f"{len(heads)} answers: the second request was smuggled in"
        yield from (f"the answer tells {path!r}" for path in self.paths if path in answer)
        yield from (f"the answer has {line!r}" for line in map(bytes.strip, answer.splitlines()) if line in self.source)

    def _left(self, there: dict[str, tuple]) -> Iterator[str]:
        """What must not be left behind by any request."""
        now = _files(self.home)
        yield from (f"{path} was written" for path in now if now[path] != there.get(path))
        yield from (f"{path} is gone" for path in there if path not in now)
        strangers = [path.name for path in _folders(self.home / "uploads") if path.name not in self.known]
        if len(strangers) > self.nb_unanswered_uploads:
            yield f"{len(strangers)} jobs that nobody was told of"
        for path in _folders(self.home / "uploads"):
            if not (path / "state.json").is_file():
                yield f"nobody's folder in uploads: {sorted(one.name for one in path.iterdir())}"
        for path in _folders(self.home / "downloads"):
            if not (self.home / "uploads" / path.name).is_dir():
                yield "nobody's folder in downloads"
        with (self.home / serving.LOG).open(errors="replace") as log:
            yield from (f"in the log: {line}" for line in log if line.startswith("Traceback"))
        if b"ok" not in self.server.get("/health"):
            yield "the server does not answer"


def _request(rng: random.Random) -> tuple[str, bytes, float]:
    """How it is sent, its bytes, and how many answers it may have; scripts are rare, since they take long."""
    name = rng.choices(list(SENDERS), (10, 50, 20, 20))[0]
    kind = rng.choices((SERVED, BY_SCRIPTS, HAND_MADE), (75, 8, 0 if name == LEFT_OPEN else 15))[0]
    raw = rng.choice(kind)
    if name == LEFT_OPEN:
        return name, raw.replace(b"\r\nHost", b"\r\nConnection: close\r\nHost"), math.inf
    if kind is HAND_MADE and rng.random() < 0.5:
        return name, raw, 1 if raw in SMUGGLED.values() else math.inf
    return name, spoiled(rng, raw), math.inf


def _exchange(port: int, send: Callable, raw: bytes) -> bytes:
    """Send a request; all that comes back. Raises OSError, EOFError if nothing comes, or no end, in time."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        deadline, answer = time.monotonic() + ANSWER_SECONDS, b""
        with suppress(OSError):  # it may have said no already, and gone
            send(connection, raw)
        try:
            while connection.fileno() >= 0 and (piece := connection.recv(1 << 16)):
                answer += piece
                if time.monotonic() > deadline:
                    raise EOFError("no end of the answer")
        except ConnectionError:
            if not answer and len(raw) < LARGE:
                raise
        return answer


def _at_once(connection: socket.socket, raw: bytes) -> None:
    connection.sendall(raw)
    connection.shutdown(socket.SHUT_WR)


def _left_open(connection: socket.socket, raw: bytes) -> None:
    connection.sendall(raw)


def _in_pieces(connection: socket.socket, raw: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    size = max(1, len(raw) // 3)
    for start in range(0, len(raw), size):
        connection.sendall(raw[start : start + size])
        time.sleep(0.002)
    connection.shutdown(socket.SHUT_WR)


def _broken_off(connection: socket.socket, raw: bytes) -> None:
    """Send a part, and go without looking at the answer: by a reset, or by an end."""
    cut = zlib.crc32(raw) % (len(raw) + 1)
    connection.sendall(raw[:cut])
    if cut % 2:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LEFT_OPEN, BROKEN_OFF = "honest requests", "spoiled requests that break off"
SENDERS: dict[str, Callable[[socket.socket, bytes], None]] = {
    LEFT_OPEN: _left_open,
    "spoiled requests": _at_once,
    "spoiled requests in pieces": _in_pieces,
    BROKEN_OFF: _broken_off,
}


def _long_lines(path: Path) -> list[bytes]:
    """The lines of a source file by which it is known again."""
    return [line for line in map(bytes.strip, path.read_bytes().splitlines()) if len(line) >= SHORTEST_LINE]


def _files(home: Path) -> dict[str, tuple]:
    """What no request may write: all files but those of jobs, the log, and what Python keeps of its modules."""
    found = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    kept = [path for path in found if path.parts[0] not in CHANGING and "__pycache__" not in path.parts]
    return {str(path): ((home / path).stat().st_size, (home / path).stat().st_mtime_ns) for path in kept}


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()]


if __name__ == "__main__":
    main()
