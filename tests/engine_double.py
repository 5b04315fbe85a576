"""Stands in for the command that separates: the same contract, but as slow and with such an end as a test says.

The orders are in engine.json, which it reads again and again; what it did goes to engine.log, one line each.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from webapp import locks

HOME = Path(__file__).resolve().parent.parent


def main() -> int:
    options = _options()
    source = options.source
    job = source.parent.name
    _note(job, "starts" if locks.acquire(HOME / f"{job}.lock", wait=False) is not None else "overlaps")
    _work(time.monotonic())
    status = _orders().get("status", 0)
    if status:
        sys.stderr.write(f"\rthe double ends with {status}\n")
    if status == 0:
        outdir = options.outdir / source.stem
        outdir.mkdir(parents=True)
        for stem in (*options.targets, *options.residual):
            shutil.copy(source, outdir / f"{stem}{options.ext}")
    _note(job, "ends")
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--residual", nargs=1, default=[])
    parser.add_argument("--outdir", type=Path)
    parser.add_argument("--ext", default=".wav")
    parser.add_argument("--keep-warm")
    return parser.parse_args()


def _work(begin: float) -> None:
    while (part := (time.monotonic() - begin) / (orders := _orders())["seconds"]) < 1:
        sys.stderr.write(f"\r{orders['says']}: {100 * part:3.0f}%|#| 12.5M/35.6M [")
        sys.stderr.flush()
        time.sleep(0.02)


def _orders() -> dict:
    return json.loads((HOME / "engine.json").read_text())


def _note(job: str, what: str) -> None:
    with (HOME / "engine.log").open("a") as log:
        log.write(f"{job} {what}\n")


if __name__ == "__main__":
    sys.exit(main())
