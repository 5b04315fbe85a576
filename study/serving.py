"""How fast the web side is: an upload beside a copy of the same file, and a page that runs a CGI script.

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

PROJECT = Path(__file__).resolve().parent.parent
RUNNING = ("server.py", "cgi-bin", "static", "webapp")
BOUNDARY = "----SoundSeparatorBenchmark0123456789"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; filename="song.wav"\r\n\r\n'.encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the upload (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="uploads and copies, in turn (%(default)s)")
    parser.add_argument("--pages", type=int, default=50, help="times that each page is asked for (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Measure, and print the tables as Markdown."""
    with tempfile.TemporaryDirectory(dir=PROJECT / "uploads") as folder, _serving(Path(folder)) as (port, server):
        song = Path(folder) / "song.wav"
        _write_wav(song, round(arguments.gigabytes * 1e9))
        _print_uploads(song, port, server, arguments.repeats)
        _print_pages(port, _upload(song, port), arguments.pages)
    return 0


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[int, int]]:
    """A server over a copy of the project in `folder`: its port and its process."""
    for name in RUNNING:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, folder / "server.py", f"--port={port}"], **quiet)
    try:
        _wait_for(port)
        yield port, process.pid
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


def _print_uploads(song: Path, port: int, server: int, repeats: int) -> None:
    copies = {"copy": _seconds(_copy, song), "copy, and wait for the disk": _seconds(_copy_durably, song)}  # warm-up
    _upload(song, port)
    copies, uploads, memory = {name: [] for name in copies}, [], [0, 0]
    for _ in range(repeats):
        copies["copy"].append(_seconds(_copy, song))
        copies["copy, and wait for the disk"].append(_seconds(_copy_durably, song))
        uploads.append(_seconds(lambda: _upload(song, port, lambda: _note_memory(server, memory))))
    print(f"{song.stat().st_size / 1e9:.2f} GB, medians of {repeats}, in turn\n")
    print("| | seconds | MB/s | the upload's speed beside it |\n|---|---|---|---|")
    upload = statistics.median(uploads)
    for name, seconds in {**copies, "upload, and wait for the disk": uploads}.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median:.2f} | {song.stat().st_size / median / 1e6:.0f} | {median / upload:.2f} |")
    if any(memory):
        print(f"\nPeak memory: server {memory[0] / 1e3:.0f} MB, script {memory[1] / 1e3:.0f} MB.")


def _print_pages(port: int, job: str, repeats: int) -> None:
    print(f"\nAnswers, medians of {repeats}\n\n| | ms |\n|---|---|")
    paths = {
        "home page (a file)": "/",
        "uploaded page (a script)": f"/cgi-bin/uploaded.py?job={job}",
        "state as JSON (a script)": f"/cgi-bin/job.py?job={job}",
    }
    for name, path in paths.items():
        times = [_seconds(_get, port, path) for _ in range(repeats + 1)][1:]
        print(f"| {name} | {1e3 * statistics.median(times):.0f} |")


def _seconds(action: Callable, *arguments: object) -> float:
    if hasattr(os, "sync"):
        os.sync()  # what an earlier action has left to be written must not slow this one
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def _copy(song: Path) -> None:
    copy = song.with_suffix(".copy")
    subprocess.run(["cp", song, copy], check=True) if shutil.which("cp") else shutil.copyfile(song, copy)


def _copy_durably(song: Path) -> None:
    _copy(song)
    with song.with_suffix(".copy").open("rb+") as file:
        os.fsync(file.fileno())


def _upload(song: Path, port: int, before_answer: Callable[[], None] = lambda: None) -> str:
    """Send `song` as a browser does, and return the job."""
    length = len(HEAD) + song.stat().st_size + len(TAIL)
    head = "POST /cgi-bin/upload.py HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    head += f"Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection, song.open("rb") as file:
        connection.sendall(head.encode() + HEAD)
        connection.sendfile(file)
        before_answer()
        connection.sendall(TAIL)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if b" 201 " not in answer:
        raise SystemExit(answer.decode())
    return answer.split(b'"job": "')[1][:32].decode()


def _get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Accept": "application/json"} if "job.py" in path else {})
    assert connection.getresponse().read()
    connection.close()


def _note_memory(server: int, memory: list[int]) -> None:
    """Keep the peaks, kB, of the server and of its upload script, where the system tells them (Linux)."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text, command = status.read_text(), (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in text.splitlines())
        peak = int(fields.get("VmHWM", "0 kB").split()[0])
        if status.parent.name == str(server):
            memory[0] = max(memory[0], peak)
        elif fields["PPid"].strip() == str(server) and b"upload.py" in command:
            memory[1] = max(memory[1], peak)
