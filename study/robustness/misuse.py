"""Clients, and other users of the machine, that take more than their share.

They keep slots without using them, fill the disk, guess the password, look for other people's songs, and go on after
the server has ended. Honest clients must be served all the same.

Usage, in a copy of the project: `python -m study.robustness.misuse <share>`. Prints the rows as JSON. With a <share> of
0.25 there are a quarter of the attempts, and of the slots. Linux only.
"""

import base64
import http.client
import os
import secrets
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from study.benchmarks import serving
from study.robustness.results import Row, print_rows, row
from study.robustness.scale import replace_engine

NB_UPLOADS, NB_STOPPED = 64, 75  # slots for uploads, as many as by default, and uploads that stop
NB_STREAMS, NB_UNREAD = 16, 32  # slots for zips and mixes, as many as by default, and zips that are not read
NB_SENDERS = 12  # songs that are sent at once to a server whose disk share holds SHARE_SONGS of them
SHARE_SONGS = 5
NB_GUESSES = 500
NB_ORPHANS = 16  # uploads that are in progress when the server ends
NB_HONEST = 16
SONG_BYTES = 8 << 20
STOP_BYTES = 70_000  # as much of a body as a script is started for
END_SECONDS = 10.0  # within which scripts end after their server
RESPONSE_SECONDS = 30.0
ENGINE_SECONDS = 0.5
PASSWORD = "a long one"  # noqa: S105 (of a server that exists for a few seconds)


def main() -> None:
    share = float(sys.argv[1])
    song = Path.cwd() / "song.wav"
    _write_song(song)
    trials = (
        lambda: _stopped_uploads(song, share),
        lambda: _unread_zips(song, share),
        lambda: _disk_share(song),
        lambda: _guesses(round(NB_GUESSES * share)),
        lambda: _other_users(song),
        lambda: _orphans(song, round(NB_ORPHANS * share), signal.SIGTERM),
        lambda: _orphans(song, round(NB_ORPHANS * share), signal.SIGKILL),
    )
    print_rows([trial() for trial in trials])


def _stopped_uploads(song: Path, share: float) -> Row:
    nb_slots, number, nb_honest = _numbers(share, NB_UPLOADS, NB_STOPPED, NB_HONEST)
    sent = _upload_head(song) + bytes(STOP_BYTES)
    with _server(max_uploads=nb_slots) as (server, _), _connections(server.port, number, sent):
        results, longest = _repeat(nb_honest, lambda: _upload(server.port, song))
    name = f"{number} uploads that stop after {STOP_BYTES // 1000} kB; uploads beside them took {longest:.1f} s at most"
    return row(name, nb_honest, _unexpected(results, {201}))


def _unread_zips(song: Path, share: float) -> Row:
    nb_slots, number, nb_honest = _numbers(share, NB_STREAMS, NB_UNREAD, NB_HONEST)
    with _server(max_streams=nb_slots) as (server, _):
        job = _separated(server, song)
        zip_path, mix_path = f"/cgi-bin/zip.py?job={job}", f"/cgi-bin/mix.py?job={job}&vocals=0.5"
        with _connections(server.port, number, f"GET {zip_path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()):
            results, longest = _repeat(nb_honest, lambda: _status(server.port, zip_path))
            mixes, longest_mix = _repeat(nb_honest, lambda: _status(server.port, mix_path))
    longest = max(longest, longest_mix)
    name = f"{number} zips that are not read; zips and mixes beside them took {longest:.1f} s at most"
    return row(name, 2 * nb_honest, _unexpected(results + mixes, {200}))


def _disk_share(song: Path) -> Row:
    allowed = SHARE_SONGS * song.stat().st_size + (1 << 20)
    with tempfile.TemporaryDirectory() as folder:
        percent = 100 * allowed / shutil.disk_usage(folder).total
    with _server(f"--max-disk-percent={percent}") as (server, home), ThreadPoolExecutor(NB_SENDERS) as senders:
        results = list(senders.map(lambda _: _upload(server.port, song), range(NB_SENDERS)))
        taken = sum(path.stat().st_size for path in (home / "uploads").rglob("*") if path.is_file())
    failures = _unexpected(results, {201, 503})
    if taken > allowed or results.count(201) == 0:
        failures.append(f"{results.count(201)} songs with {taken} bytes were accepted, {allowed} bytes are allowed")
    name = (
        f"{NB_SENDERS} songs sent at once, of which the disk share holds {SHARE_SONGS}: {results.count(201)} accepted"
    )
    return row(name, NB_SENDERS, failures)


def _guesses(number: int) -> Row:
    """Guess the password from ever new addresses of one IPv6 network, and then use the right one."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(PASSWORD)
        file.flush()
        with _server(f"--password-file={file.name}", "--behind-proxy") as (server, _):
            guesses = [_log_in(server.port, f"2001:db8::{n + 1:x}", secrets.token_hex(4)) for n in range(number)]
            same = _log_in(server.port, "2001:db8::ffff", PASSWORD)
            other = _log_in(server.port, "2001:db8:0:1::1", PASSWORD)
    failures = _unexpected(guesses, {401, 429})
    if same != 429 or other != 200:
        failures.append(f"the right password gets {same} after the guesses, and {other} from another network")
    return row(f"{number} passwords guessed from one IPv6 network", number + 2, failures)


def _other_users(song: Path) -> Row:
    """What another user of the machine can see of a song: files that are not its owner's alone, and command lines."""
    with _server() as (server, home), _command_lines() as seen:
        job = _separated(server, song)
        folders = home / "uploads", home / "downloads"
        files = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        readable = [str(path) for path in files if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    failures = [*readable, *(line.decode(errors="replace") for line in seen if job.encode() in line)]
    return row("files and command lines that other users can read", len(files) + len(seen), failures)


def _orphans(song: Path, number: int, end: signal.Signals) -> Row:
    """End the server while songs are sent, and send the rest. The scripts must end, and no song may remain of which
    nobody was told.
    """
    with _server() as (server, home):
        content = _upload_head(song) + song.read_bytes()
        with _connections(server.port, number, content[: len(content) // 2]) as connections:
            _wait(lambda: len(_scripts(home)) == number)
            os.kill(server.pid, end)
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)  # until then, it may acknowledge songs
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(content[len(content) // 2 :] + serving.TAIL)
            _wait(lambda: not _scripts(home))
        left = [f"a script lives: {script}" for script in _scripts(home)]
        left += [f"a song remains: {state}" for state in (home / "uploads").glob("*/state.json")]
    return row(f"{number} uploads in progress when the server gets {end.name}", number, left)


@contextmanager
def _server(*options: str, **limits: float) -> Iterator[tuple[serving.Server, Path]]:
    """A server on a new copy of the project, with an engine that waits, and the copy's folder.

    `limits` are fields of `webapp.limits.Limits` that differ from the defaults.
    """
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        for name in serving.SERVER_FILES:
            serving.copy_into(home, name)
        replace_engine(home, ENGINE_SECONDS)
        with serving.run_server(home, *options, log=home / serving.LOG, limits=limits) as server:
            yield server, home


@contextmanager
def _connections(port: int, number: int, request: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have sent `request`, and then neither send nor read."""
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(number)]
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request)
        yield connections


@contextmanager
def _command_lines() -> Iterator[set[bytes]]:
    """The command lines of all processes that exist in the block."""
    seen, stop = set[bytes](), threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it has ended
                    seen.add(path.read_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        stop.set()
        watching.join()


def _numbers(share: float, *numbers: int) -> list[int]:
    return [round(share * number) for number in numbers]


def _repeat(number: int, request: Callable[[], int]) -> tuple[list[int], float]:
    """Repeat a request. Returns the statuses and the longest time in seconds."""
    statuses, longest = [], 0.0
    for _ in range(number):
        begin = time.monotonic()
        statuses.append(request())
        longest = max(longest, time.monotonic() - begin)
    return statuses, longest


def _unexpected(statuses: list[int], expected: set[int]) -> list[str]:
    return [f"status {status}" for status in statuses if status not in expected]


def _upload_head(song: Path) -> bytes:
    length = len(serving.HEAD) + song.stat().st_size + len(serving.TAIL)
    head = "POST /cgi-bin/upload.py HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    head += f"Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={serving.BOUNDARY}\r\n\r\n"
    return head.encode() + serving.HEAD


def _upload(port: int, song: Path) -> int:
    """The status of the response to an upload."""
    with socket.create_connection(("127.0.0.1", port), RESPONSE_SECONDS) as connection:
        with suppress(ConnectionError):  # the server may refuse it before it has everything
            connection.sendall(_upload_head(song) + song.read_bytes() + serving.TAIL)
        return int(connection.recv(100).split()[1])


def _separated(server: serving.Server, song: Path) -> str:
    """Upload and separate `song`. Returns the job when it is done and its pictures are drawn."""
    job = server.upload(song)
    server.get("/cgi-bin/separate.py", "POST", f"job={job}")
    _wait(lambda: b'"done"' in server.get(f"/cgi-bin/job.py?job={job}"), 10 * END_SECONDS)
    return job


def _status(port: int, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RESPONSE_SECONDS)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def _log_in(port: int, address: str, password: str) -> int:
    credentials = base64.b64encode(f"anyone:{password}".encode()).decode()
    return _status(port, "/", **{"X-Forwarded-For": address, "Authorization": f"Basic {credentials}"})


def _scripts(home: Path) -> list[str]:
    """The processes of upload scripts of the server in `home`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"{home}/cgi-bin/upload.py".encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def _wait(is_true: Callable[[], bool], seconds: float = END_SECONDS) -> None:
    """Wait until a condition holds, for `seconds` at most."""
    end = time.monotonic() + seconds
    while not is_true() and time.monotonic() < end:
        time.sleep(0.05)


def _write_song(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(os.urandom(SONG_BYTES))


if __name__ == "__main__":
    main()
