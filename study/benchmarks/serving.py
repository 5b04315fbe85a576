"""Benchmark the web server: the speed of an upload relative to a file copy, page times, and the load of open pages.

Quote only ratios and medians, because other processes also use the machine.
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

from study.benchmarks import page_polling

PROJECT = Path(__file__).resolve().parents[2]
SERVER_FILES = ("pyproject.toml", "server.py", "cgi-bin", "static", "webapp", "openunmix_models", "audiofiles")
LOG = "server.log"
BOUNDARY = "----SoundSeparatorBenchmark0123456789"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; filename="song.wav"\r\n\r\n'.encode()
PIECE_BYTES = 1 << 18
LINGER_SECONDS = 6.0  # the server reads on for less than this after it rejected a request
IDLE_THREADS = 2  # of a server without connections
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the upload in GB (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of uploads and copies, which alternate (%(default)s)"
    )
    parser.add_argument("--pages", type=int, default=50, help="number of requests for each page (%(default)s)")
    parser.add_argument(
        "--open-pages", type=int, default=100, help="number of pages that poll at the same time (%(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=200, help="number of existing jobs, half of them done (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the pages stay open (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Run the benchmarks and print the results as Markdown tables."""
    with tempfile.TemporaryDirectory(dir=PROJECT / "uploads") as folder, run_server_copy(Path(folder)) as server:
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
        page_polling.queued_jobs(Path(folder), arguments.jobs) as waiting,
        run_server_copy(Path(folder)) as server,
    ):
        share = page_polling.measure_cpu_share(
            server.pid, server.port, waiting[: arguments.open_pages], arguments.seconds
        )
    print(f"\nOpen pages among {arguments.jobs} jobs, for {arguments.seconds:g} s\n")
    print("| | % of a core |\n|---|---|")
    print(f"| {arguments.open_pages} pages that poll once a second | {100 * share:.1f} |")


class Server:
    """A running server, with the peak memory in kB of the server and of its upload script (Linux only)."""

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
        """Upload `song` as a browser does, and return the id of the job."""
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

    def resource_usage(self) -> dict[str, int]:
        """Return the memory (MB), the threads and the open files of the server (Linux)."""
        process = Path(f"/proc/{self.pid}")
        fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        memory, threads = int(fields["VmRSS"].split()[0]) // 1000, int(fields["Threads"])
        return {"MB": memory, "threads": threads, "files": len(list((process / "fd").iterdir()))}

    def idle_resource_usage(self) -> dict[str, int]:
        """Return the resource usage after rejected connections have closed."""
        until = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < until and self.resource_usage()["threads"] > IDLE_THREADS:
            time.sleep(0.1)
        return self.resource_usage()

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
def run_server_copy(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server on a copy of the project in `folder`, which also gets its log."""
    for name in SERVER_FILES:
        copy_into(folder, name)
    with run_server(folder, *options, log=folder / LOG) as server:
        yield server


def copy_into(folder: Path, name: str) -> None:
    """Copy a file or a folder of the project into `folder`."""
    copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
    copy(PROJECT / name, folder / name)


@contextmanager
def run_server(
    folder: Path, *options: str, log: Path = Path(os.devnull), limits: dict[str, float] | None = None
) -> Iterator[Server]:
    """Run the server of the project copy in `folder`. `limits` are fields of `webapp.limits.Limits`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [str(folder / "server.py")]
    if limits:
        start = f"import server; from webapp.limits import Limits; server.main(sys.argv[1:], Limits(**{limits!r}))"
        program = ["-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {start}"]
    command = [sys.executable, *program, f"--port={port}", *options]
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
    raise SystemExit("The server did not start.")


def _write_wav(path: Path, nb_bytes: int) -> None:
    """Write noise, which is no easier to copy or to search for the boundary than a real song."""
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
        "copy and fsync": (lambda: _copy_durably(song, copy), lambda _: copy.unlink()),
        "upload and fsync": (lambda: server.upload(song), server.delete),
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(1 + repeats):  # the first is a warm-up
        for name, (action, clean) in rows.items():
            _flush_disk()
            seconds, result = _timed(action)
            clean(result)
            times[name].append(seconds)
    medians = {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
    upload = medians["upload and fsync"]
    print(f"{song.stat().st_size / 1e9:.2f} GB, medians of {repeats} alternating runs\n")
    print("| | seconds | MB/s | speed of the upload relative to it |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {song.stat().st_size / median / 1e6:.0f} | {median / upload:.2f} |")
    if server.script_peak:
        print(f"\nPeak memory: server {server.peak / 1e3:.0f} MB, script {server.script_peak / 1e3:.0f} MB.")


def _print_pages(server: Server, job: str, repeats: int) -> None:
    print(f"\nResponse times, medians of {repeats}\n\n| | ms |\n|---|---|")
    paths = {
        "home page": "/",
        "uploaded page (a script)": f"/cgi-bin/uploaded.py?job={job}",
        "state as JSON": f"/cgi-bin/job.py?job={job}",
    }
    for name, path in paths.items():
        times = [_timed(lambda path=path: server.get(path))[0] for _ in range(1 + repeats)]
        print(f"| {name} | {1e3 * statistics.median(times[1:]):.0f} |")


def _flush_disk() -> None:
    """Flush the page cache, so that writes of an earlier action do not slow the next one."""
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
