"""Many at once at a real server, and slow ones: who is served, how soon, and what stays behind in the server.

`python -m study.faults.crowd <seconds> <songs>` in a copy of the project prints the rows as JSON: for so many seconds
200 connections stay, and so many songs are sent and queued. Linux only.
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

from study import open_pages, serving

NB_JOBS = 2000  # half of them wait
NB_PAGES, NB_LISTENERS, NB_SENDERS = 120, 50, 30
NB_SLOW = 300
NB_IDLE = 1200  # more than the server has places for
NB_AT_ONCE = 4  # that send songs to be queued
WARM_UP_SECONDS = 15.0  # for threads and memory that stay for the next time
NB_FILES = 4096  # that this process may have open
GROWTH = {"MB": 30, "threads": 3, "files": 5}  # that is none: what Python keeps of a peak for the next one


def main() -> None:
    seconds, nb_songs = float(sys.argv[1]), int(sys.argv[2])
    _allow_files()
    home = Path.cwd()
    with open_pages.waiting_jobs(home / "served", NB_JOBS) as waiting, serving.serving(home / "served") as server:
        song = home / "song.wav"
        _write_song(song)
        crowd = _Crowd(server, song, server.upload(song), waiting)
        crowd.together(min(seconds, WARM_UP_SECONDS))
        before = server.sizes_at_rest()
        rows = [_row(f"200 connections for {seconds:g} s", crowd.together(seconds))]
        rows.append(_row("what stays of them in the server", grown(before, server.sizes_at_rest())))
        rows += [_row(f"{NB_SLOW} {name}", crowd.beside(NB_SLOW, slow)) for name, slow in _SLOW.items()]
        rows.append(_row(f"{NB_IDLE} idle connections, more than there are places", crowd.beside(NB_IDLE)))
        rows.append(_row("what stays of all these in the server", grown(before, server.sizes_at_rest())))
        rows.append(_row(f"{nb_songs} songs sent and queued", crowd.queue(nb_songs)))
    print(json.dumps(rows))


def _row(what: str, told: tuple[str, int, list[str]]) -> dict:
    figures, trials, found = told
    return {"what": f"{what}: {figures}", "trials": trials, "found": found}


class _Crowd:
    """People at `server`, each on a connection of their own."""

    def __init__(self, server: serving.Server, song: Path, job: str, waiting: list[str]):
        self.server, self.song, self.job, self.waiting = server, song, job, waiting
        self.times: list[float] = []
        self.wrong: list[str] = []
        self.nb_done = 0

    def together(self, seconds: float) -> tuple[str, int, list[str]]:
        """State pages, downloads with ranges, uploads; the 99th percentile of a state page."""
        deeds = [self._ask] * NB_PAGES + [self._listen] * NB_LISTENERS + [self._send] * NB_SENDERS
        return self._all(deeds, seconds)

    def beside(self, number: int, slow: bytes = b"") -> tuple[str, int, list[str]]:
        """What others get while so many connections have sent this, and then send, and read, a byte a second.

        Those that have sent nothing keep still.
        """
        with _slow_ones(self.server.port, number, slow):
            return self._all([self._ask] * 10 + [self._send] * 2, 8.0)

    def queue(self, number: int) -> tuple[str, int, list[str]]:
        """Songs are sent and queued, a few at a time; each then has a place of its own, behind those that waited."""
        begin = time.monotonic()
        with ThreadPoolExecutor(NB_AT_ONCE) as senders:
            queued = list(senders.map(lambda _: self._enqueue(), range(number)))
        seconds = time.monotonic() - begin
        last = self._enqueue()
        places = sorted(self._place(job) for job in queued)
        first, end = len(self.waiting) + 1, len(self.waiting) + number + 1
        wrong = [] if places == list(range(first, end)) else [f"the places are {places}, not from {first}"]
        wrong += [] if self._place(last) == end else [f"the last is number {self._place(last)}, not {end}"]
        return f"one in {1e3 * seconds / number:.0f} ms, the last is number {end} in the queue", number + 1, wrong

    def _enqueue(self) -> str:
        job = self.server.upload(self.song)
        answer = self.server.get("/cgi-bin/separate.py", "POST", f"job={job}")
        _expect(b'"queued"' in answer, answer)
        return job

    def _place(self, job: str) -> int:
        return json.loads(self.server.get(f"/cgi-bin/job.py?job={job}"))["queue_position"]

    def _all(self, deeds: list[Callable], seconds: float) -> tuple[str, int, list[str]]:
        self.times, self.wrong, self.nb_done = [], [], 0
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._again_and_again, args=(deed, end)) for deed in deeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        percentile = sorted(self.times)[int(0.99 * len(self.times))] if self.times else float("inf")
        return f"99 % of state pages in {1e3 * percentile:.0f} ms", self.nb_done, self.wrong[:20]

    def _again_and_again(self, deed: Callable, end: float) -> None:
        while time.monotonic() < end:
            try:
                deed()
                self.nb_done += 1
            except (OSError, Unexpected, http.client.HTTPException, SystemExit) as error:
                self.wrong.append(f"{deed.__name__}: {error!r}")

    def _ask(self) -> None:
        begin = time.monotonic()
        answer = self.server.get(f"/cgi-bin/job.py?job={self.waiting[int(begin * 1e3) % len(self.waiting)]}")
        self.times.append(time.monotonic() - begin)
        _expect(b'"queued"' in answer, answer)
        time.sleep(max(0.0, begin + 1 - time.monotonic()))  # open pages ask once a second

    def _listen(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        start = int(time.monotonic() * 1e6) % 1000000
        connection.request(
            "GET", f"/downloads/{self.job}/mixture.wav", headers={"Range": f"bytes={start}-{start + 99999}"}
        )
        answer = connection.getresponse()
        _expect((answer.status, len(answer.read())) == (206, 100000), answer.status)
        connection.close()
        time.sleep(0.5)

    def _send(self) -> None:
        self.server.delete(self.server.upload(self.song))
        time.sleep(3)


class Unexpected(Exception):
    """An answer that is not the right one."""


def _expect(holds: bool, answer: object) -> None:
    if not holds:
        raise Unexpected(answer)


def grown(before: dict[str, int], after: dict[str, int]) -> tuple[str, int, list[str]]:
    """What a server takes, `Server.sizes`, before and after: in words, and once more if it is too much."""
    told = ", ".join(f"{before[name]} → {after[name]} {name}" for name in before)
    return told, 1, [told] if any(after[name] - before[name] > most for name, most in GROWTH.items()) else []


_FORM = "POST /cgi-bin/%s.py HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 60000\r\n\r\n"
_SLOW = {
    "slow heads": b"GET /",
    "slow forms": (_FORM % ("delete", "application/x-www-form-urlencoded")).encode() + b"job=",
    "slow uploads": (_FORM % ("upload", f"multipart/form-data; boundary={serving.BOUNDARY}")).encode()
    + serving.HEAD[:9],
    "slow readers": b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
}


@contextmanager
def _slow_ones(port: int, number: int, sent: bytes) -> Iterator[None]:
    stop = threading.Event()
    with ExitStack() as connections:
        slow = [connections.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(number)]
        for connection in slow:
            connection.sendall(sent)
        dripping = threading.Thread(target=_drip, args=(slow if sent else [], stop))
        dripping.start()
        yield
        stop.set()
        dripping.join()


def _drip(connections: list[socket.socket], stop: threading.Event) -> None:
    while not stop.wait(1):
        for connection in connections:
            with suppress(OSError):
                connection.send(b"a")
                connection.recv(1, socket.MSG_DONTWAIT)


def _allow_files() -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = NB_FILES if most == resource.RLIM_INFINITY else min(NB_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, wanted), most))


def _write_song(path: Path) -> None:
    content = io.BytesIO()
    with wave.open(content, "wb") as song:
        song.setparams((2, 2, 44100, 0, "NONE", ""))
        song.writeframes(bytes(range(256)) * 5000)
    path.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
