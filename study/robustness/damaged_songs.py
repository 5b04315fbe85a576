"""Upload and separate damaged songs in child processes with limits on CPU time and memory.

Each song must be rejected with one sentence, by the upload or by the separation, or its stems must have its length,
sample rate, channels and subtype, and sum to it. One song in ten also gets its pictures drawn and is sent to a real
server, whose response must be the same.

Usage, in a copy of the project: `python -m study.robustness.damaged_songs <songs> <seed>`. Prints the rows as JSON.
Linux only.
"""

import json
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from study.benchmarks import page_polling, serving
from study.robustness.damaged_wav import generate
from study.robustness.results import Row, print_rows, row
from webapp.paths import DOWNLOADS, UPLOADS

NB_CHILDREN = 2
HANG_SECONDS = 90.0  # a child that prints nothing for so long is killed; generous, because the machine may be busy
SEPARATED, REFUSED_UPLOAD, REFUSED_LATER = "separated", "refused at upload", "refused later"  # outcomes


def main() -> None:
    nb_songs, seed = map(int, sys.argv[1:3])
    home = Path.cwd() / "served"
    for folder in (UPLOADS, DOWNLOADS):
        folder.mkdir()
    with page_polling.queued_jobs(home, 2), serving.run_server_copy(home) as server:
        run = partial(_run_children, nb_songs, seed, server.port)
        with ThreadPoolExecutor(NB_CHILDREN) as threads:
            results = [result for part in threads.map(run, range(NB_CHILDREN)) for result in part]
    print_rows(_rows(results))


def _rows(results: list[dict]) -> list[Row]:
    """Return one row for each kind of song, with the number of songs for each outcome."""
    rows = []
    for kind in dict.fromkeys(result["kind"] for result in results):
        of_kind = [result for result in results if result["kind"] == kind]
        counts = Counter(result["outcome"] for result in of_kind)
        outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in (SEPARATED, REFUSED_UPLOAD, REFUSED_LATER))
        failures = [{key: result[key] for key in ("number", "failure")} for result in of_kind if result["failure"]]
        rows.append(row(f"{kind}: {outcomes}", len(of_kind), failures))
    return rows


def _run_children(nb_songs: int, seed: int, port: int, first: int) -> list[dict]:
    """Return the results of every NB_CHILDREN-th song from `first` on. A child that dies is replaced by a new one."""
    results, start = [], first
    while start < nb_songs:
        arguments = map(str, (start, nb_songs, seed, port))
        command = [sys.executable, "-m", "study.robustness.damaged_songs_child", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            lines = list(_lines(child))
        results += [json.loads(line) for line in lines]
        start = (results[-1]["number"] if lines else start - NB_CHILDREN) + NB_CHILDREN
        if child.returncode and start < nb_songs:
            failure = "hangs" if child.returncode == -9 else f"ends its process with {child.returncode}"
            kind = generate(seed, start)[0]
            results.append({"number": start, "kind": kind, "outcome": "", "reason": "", "failure": failure})
            start += NB_CHILDREN
    return results


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the lines that a child prints. Kills it if it prints nothing for HANG_SECONDS."""
    assert child.stdout  # noqa: S101 (a pipe, for mypy)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(HANG_SECONDS):
            if not (line := child.stdout.readline()):
                return
            yield line
    child.kill()


if __name__ == "__main__":
    main()
