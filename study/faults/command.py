"""What the web side bears: kills, full disks, bad input, load. One row for each trial, and what was wrong after it.

Linux only. Nothing here touches the songs of the application: each part runs over a copy of its code.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from study import serving

# A part → its module, and what it is given for all of it, and for a share.
PARTS = {
    "faults": ("study.faults.crashes", ["1"], ["24"]),
    "disk": ("study.faults.full_disk", ["2"], ["24"]),
    "input": ("study.faults.fuzz", ["130000", "1"], ["2000", "1"]),
    "requests": ("study.faults.requests", ["20000", "1"], ["1000", "1"]),
    "songs": ("study.faults.song_trial", ["10000", "1"], ["500", "1"]),
    "models": ("study.faults.torn_models", ["9000", "1"], ["270", "1"]),
    "load": ("study.faults.crowd", ["600", "1000"], ["5", "20"]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a share of each part, in some minutes")
    parser.add_argument("--only", choices=PARTS, help="one part alone")


def main(arguments: argparse.Namespace) -> int:
    """Try, and print the table as Markdown; the exit status is 1 if anything was wrong."""
    print(_heading(arguments))
    print("| part | what | trials | wrong |\n|---|---|---|---|", flush=True)
    nb_wrong = 0
    for part in [arguments.only] if arguments.only else PARTS:
        for row in _rows(*PARTS[part], arguments.quick):
            wrong = row["found"]
            print(f"| {part} | {row['what']} | {row['trials']} | {len(wrong)} |", flush=True)
            print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr, flush=True)
            nb_wrong += len(wrong)
    return int(nb_wrong > 0)


def _heading(arguments: argparse.Namespace) -> str:
    command = "python -m study faults" + (" --quick" if arguments.quick else "")
    command += f" --only {arguments.only}" if arguments.only else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {machine}, `{command}`\n"


def _rows(module: str, whole: list[str], share: list[str], quick: bool) -> list[dict]:
    """What a part's module prints as JSON when it is run in a copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (*serving.RUNNING, "study"):
            serving.copy_into(Path(folder), name)
        Path(folder, "served").mkdir()
        command = [sys.executable, "-m", module, *(share if quick else whole)]
        told = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return json.loads(told.stdout)
