"""Test the web application with kills, power cuts, full disks, invalid input and load, and print a table of failures.

Linux only. Each part runs on a copy of the project, and never touches your songs.
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

from study.benchmarks import serving
from study.robustness.results import Row

# The name of each part → its module, and the module's arguments for a full and for a quick run.
PARTS = {
    "faults": ("study.robustness.crashes", ["1"], ["24"]),
    "disk": ("study.robustness.full_disk", ["2"], ["24"]),
    "input": ("study.robustness.parser_fuzzing", ["130000", "1"], ["2000", "1"]),
    "guided": ("study.robustness.guided_fuzzing", ["300"], ["2"]),
    "requests": ("study.robustness.raw_requests", ["20000", "1"], ["1000", "1"]),
    "songs": ("study.robustness.damaged_songs", ["10000", "1"], ["500", "1"]),
    "models": ("study.robustness.corrupted_models", ["9000", "1"], ["270", "1"]),
    "scale": ("study.robustness.scale", ["10000", "64", "20", "120"], ["400", "8", "2", "6"]),
    "misuse": ("study.robustness.misuse", ["1"], ["0.125"]),
    "load": ("study.robustness.load", ["600", "1000"], ["5", "20"]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="run a small sample of each part, in a few minutes")
    parser.add_argument("--only", choices=PARTS, help="run one part only")


def main(arguments: argparse.Namespace) -> int:
    """Run the trials and print the table as Markdown. Returns 1 if a trial failed."""
    print(_heading(arguments))
    print("| part | what is tried | trials | failed |\n|---|---|---|---|", flush=True)
    nb_failed = 0
    for part in [arguments.only] if arguments.only else PARTS:
        for row in _rows(*PARTS[part], arguments.quick):
            failures = row["failures"]
            print(f"| {part} | {row['name']} | {row['trials']} | {len(failures)} |", flush=True)
            print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr, flush=True)
            nb_failed += len(failures)
    return int(nb_failed > 0)


def _heading(arguments: argparse.Namespace) -> str:
    command = "python -m study faults" + (" --quick" if arguments.quick else "")
    command += f" --only {arguments.only}" if arguments.only else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {machine}, `{command}`\n"


def _rows(module: str, full: list[str], quick: list[str], is_quick: bool) -> list[Row]:
    """Run a part's module in a copy of the project, and return the rows that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (*serving.SERVER_FILES, "study"):
            serving.copy_into(Path(folder), name)
        Path(folder, "served").mkdir()
        command = [sys.executable, "-m", module, *(quick if is_quick else full)]
        completed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return json.loads(completed.stdout)
