"""What the web side bears: kills, full disks, bad input, load. One row for each trial, and what was wrong after it.

Linux only. Nothing here touches the songs of the application: each part runs over a copy of its code.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RUNNING = ("server.py", "cgi-bin", "static", "webapp", "study", "openunmix_models")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a share of each part, in about a minute")
    parser.add_argument("--only", choices=PARTS, help="one part alone")


def main(arguments: argparse.Namespace) -> int:
    """Try, and print the table as Markdown; the exit status is 1 if anything was wrong."""
    print(_heading(arguments))
    print("| part | what | trials | wrong |\n|---|---|---|---|", flush=True)
    nb_wrong = 0
    for part in [arguments.only] if arguments.only else PARTS:
        for what, trials, wrong in PARTS[part](arguments.quick):
            print(f"| {part} | {what} | {trials} | {len(wrong)} |", flush=True)
            print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr, flush=True)
            nb_wrong += len(wrong)
    return int(nb_wrong > 0)


def _heading(arguments: argparse.Namespace) -> str:
    command = "python -m study faults" + (" --quick" if arguments.quick else "")
    command += f" --only {arguments.only}" if arguments.only else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {machine}, `{command}`\n"


def _crashes(quick: bool) -> Iterator[tuple]:
    """Each change on the disk fails once, and is once the moment of a kill -9 and of each kind of power cut."""
    for row in _rows("study.crashes", "24" if quick else "1"):
        yield f"{row['doing']} ({row['changes']} changes on the disk)", row["faults"], row["found"]


def _full_disk(quick: bool) -> Iterator[tuple]:
    """The real server, worker and separation on a small disk that is full at each moment."""
    for row in _rows("study.full_disk", "24" if quick else "2"):
        yield row["what"], row["trials"], row["found"]


def _bad_input(quick: bool) -> Iterator[tuple]:
    """Honest input that was spoiled, for each parser; the same seed makes the same input."""
    for row in _rows("study.fuzz", "2000" if quick else "120000", "1"):
        yield row["what"], row["trials"], row["found"]


def _requests(quick: bool) -> Iterator[tuple]:
    """Honest, hand-made and spoiled requests at a real server; the same seed makes the same bytes."""
    for row in _rows("study.requests", "1000" if quick else "20000", "1"):
        yield row["what"], row["trials"], row["found"]


def _songs(quick: bool) -> Iterator[tuple]:
    """Bad songs through the upload and the separation; the same seed makes the same songs."""
    for row in _rows("study.song_trial", "500" if quick else "10000", "1"):
        yield row["what"], row["trials"], row["found"]


def _models(quick: bool) -> Iterator[tuple]:
    """Torn and spoiled files of a model; the same seed makes the same files."""
    for row in _rows("study.torn_models", "270" if quick else "9000", "1"):
        yield row["what"], row["trials"], row["found"]


def _load(quick: bool) -> Iterator[tuple]:
    """Many at once, and slow ones, at a real server."""
    for row in _rows("study.crowd", *(("5", "20") if quick else ("600", "1000"))):
        yield row["what"], row["trials"], row["found"]


def _rows(module: str, *arguments: str) -> list[dict]:
    """What a module prints as JSON when it is run in a copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        for name in RUNNING:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, Path(folder, name))
        Path(folder, "served").mkdir()
        command = [sys.executable, "-m", module, *arguments]
        told = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return json.loads(told.stdout)


PARTS = {
    "faults": _crashes,
    "disk": _full_disk,
    "input": _bad_input,
    "requests": _requests,
    "songs": _songs,
    "models": _models,
    "load": _load,
}
