"""How fast the web side is: an upload beside a copy of the same file, pages that run a script, and pages left open.

Only ratios and medians are worth quoting: the machine does other things too.
"""

import argparse
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from study import open_pages

PROJECT = Path(__file__).resolve().parent.parent
RUNNING = ("server.py", "cgi-bin", "static", "webapp", "openunmix_models")
LOG = "server.log"
BOUNDARY = "----SoundSeparatorBenchmark0123456789"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; filename="song.wav"\r\n\r\n'.encode()
PIECE_BYTES = 1 << 18
LINGER_SECONDS = 6.0  # for less than which the server reads on after a no
RESTING_THREADS = 2  # of a server that nobody asks
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the upload (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="uploads and copies, in turn (%(default)s)")
    parser.add_argument("--pages", type=int, default=50, help="times that each page is asked for (%(default)s)")
    parser.add_argument("--open-pages", type=int, default=100, help="pages left open at a time (%(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=200, help="jobs that are there meanwhile, half of them done (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="for which they stay open (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Measure, and print the tables as Markdown."""
    with tempfile.TemporaryDirectory(dir=PROJECT / "uploads") as folder, serving(Path(folder)) as server:
        song = Path(folder) / "song.wav"
        _write_wav(song, round(arguments.gigabytes * 1e9))
        _print_uploads(song, server, arguments.repeats)
        _print_pages(server, server.upload(song), arguments.pages)
    if Path("/proc/self/stat").exists():
        _print_load(arguments)
    return 0


def _print_load(arguments: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(dir=PROJECT / "uploads") as folder,
        open_pages.waiting_jobs(Path(folder), arguments.jobs) as waiting,
        serving(Path(folder)) as server,
    ):
        share = open_pages.load(server.pid, server.port, waiting[: arguments.open_pages], arguments.seconds)
    print(f"\nPages left open among {arguments.jobs} jobs, for {arguments.seconds:g} s\n")
    print("| | % of a core |\n|---|---|")
    print(f"| {arguments.open_pages} pages that ask once a second | {100 * share:.1f} |")


class Server:
    """A running server, and what it took in memory, kB at its peak, where the system tells it (Linux)."""

    def __init__(self, pid: int, port: int):
        self.pid, self.port = pid, port
        self.peak = self.script_peak = 0

    def get(self, path: str, method: str = "GET", body: str = "") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse().read()
        connection.close()
        return answer

    def upload(self, song: Path) -> str:
        """Send `song` as a browser does, and return the job."""
        length = len(HEAD) + song.stat().st_size + len(TAIL)
        head = "POST /cgi-bin/upload.py HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        head += f"Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port)) as connection, song.open("rb") as file:
            connection.sendall(head.encode() + HEAD)
            while piece := file.read(PIECE_BYTES):
                connection.sendall(piece)
            self._note_memory()
            connection.sendall(TAIL)
            answer = connection.makefile("rb").read()
        if b" 201 " not in answer:
            raise SystemExit(answer.decode())
        return answer.split(b'"job": "')[1][:32].decode()

    def delete(self, job: str) -> None:
        self.get("/cgi-bin/delete.py", "POST", f"job={job}")

    def sizes(self) -> dict[str, int]:
        """What the server takes of memory, threads and descriptors (Linux)."""
        process = Path(f"/proc/{self.pid}")
        fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        memory, threads = int(fields["VmRSS"].split()[0]) // 1000, int(fields["Threads"])
        return {"MB": memory, "threads": threads, "files": len(list((process / "fd").iterdir()))}

    def sizes_at_rest(self) -> dict[str, int]:
        """The same, when the connections have gone that were told no."""
        until = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < until and self.sizes()["threads"] > RESTING_THREADS:
            time.sleep(0.1)
        return self.sizes()

    def _note_memory(self) -> None:
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text, command = status.read_text(), (status.parent / "cmdline").read_bytes()
            except OSError:
                continue
            fields = dict(line.split(":", 1) for line in text.splitlines())
            peak = int(fields.get("VmHWM", "0 kB").split()[0])
            if status.parent.name == str(self.pid):
                self.peak = max(self.peak, peak)
            elif fields["PPid"].strip() == str(self.pid) and b"upload.py" in command:
                self.script_peak = max(self.script_peak, peak)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server over a copy of the project in `folder`, where its log is too."""
    for name in RUNNING:
        copy_into(folder, name)
    with running(folder, *options, log=folder / LOG) as server:
        yield server


def copy_into(folder: Path, name: str) -> None:
    """Copy a file or a folder of the project."""
    copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
    copy(PROJECT / name, folder / name)


@contextmanager
def running(folder: Path, *options: str, log: Path = Path(os.devnull)) -> Iterator[Server]:
    """A server over what `folder` holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, folder / "server.py", f"--port={port}", *options]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait_for(port)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The server does not start.")


def _write_wav(path: Path, nb_bytes: int) -> None:
    """Noise, written in pieces: nothing in it is easier to copy or to search than in a real song."""
    import numpy as np
    import soundfile

    block = np.random.default_rng(0).integers(-3000, 3000, (1 << 20, 2), dtype=np.int16)
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        for _ in range(max(1, nb_bytes // block.nbytes)):
            file.write(block)


def _print_uploads(song: Path, server: Server, repeats: int) -> None:
    copy = song.with_suffix(".copy")
    rows = {
        "copy": (lambda: _copy(song, copy), lambda _: copy.unlink()),
        "copy, and wait for the disk": (lambda: _copy_durably(song, copy), lambda _: copy.unlink()),
        "upload, and wait for the disk": (lambda: server.upload(song), server.delete),
    }
    times = {name: [] for name in rows}
    for _ in range(1 + repeats):  # the first is a warm-up
        for name, (action, clean) in rows.items():
            _rest()
            seconds, result = _timed(action)
            clean(result)
            times[name].append(seconds)
    medians = {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
    upload = medians["upload, and wait for the disk"]
    print(f"{song.stat().st_size / 1e9:.2f} GB, medians of {repeats}, in turn\n")
    print("| | seconds | MB/s | the upload's speed beside it |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {song.stat().st_size / median / 1e6:.0f} | {median / upload:.2f} |")
    if server.script_peak:
        print(f"\nPeak memory: server {server.peak / 1e3:.0f} MB, script {server.script_peak / 1e3:.0f} MB.")


def _print_pages(server: Server, job: str, repeats: int) -> None:
    print(f"\nAnswers, medians of {repeats}\n\n| | ms |\n|---|---|")
    paths = {
        "home page": "/",
        "uploaded page (a script)": f"/cgi-bin/uploaded.py?job={job}",
        "state as JSON": f"/cgi-bin/job.py?job={job}",
    }
    for name, path in paths.items():
        times = [_timed(lambda path=path: server.get(path))[0] for _ in range(1 + repeats)]
        print(f"| {name} | {1e3 * statistics.median(times[1:]):.0f} |")


def _rest() -> None:
    """What an earlier action has left to be written must not slow the next one."""
    if hasattr(os, "sync"):
        os.sync()


def _timed(action: Callable) -> tuple[float, object]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def _copy(song: Path, copy: Path) -> None:
    subprocess.run(["cp", song, copy], check=True) if shutil.which("cp") else shutil.copyfile(song, copy)


def _copy_durably(song: Path, copy: Path) -> None:
    _copy(song, copy)
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
