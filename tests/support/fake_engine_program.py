"""The fake engine: the command line of the real one, but with the duration and the exit status that a test sets.

It reads engine.json again and again for its configuration, and appends a line to engine.log for each event.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from pathlib import Path

from webapp import locks

HOME = Path(__file__).resolve().parent.parent


def main() -> int:
    options = _options()
    if _configuration()["ignores_sigterm"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    source = options.source
    job = source.resolve().parent.name
    _log_event(job, "starts" if locks.try_acquire(HOME / f"{job}.lock") is not None else "overlaps")
    _work(time.monotonic())
    status = _configuration().get("status", 0)
    if status:
        sys.stderr.write(f"\rthe fake engine ends with {status}\n")
    if status == 0:
        outdir = options.outdir / source.stem
        outdir.mkdir(parents=True)
        for stem in options.aggregate or (*options.targets, *options.residual):
            shutil.copy(source, outdir / f"{stem}{options.ext}")
    _log_event(job, "ends")
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--residual", nargs=1, default=[])
    parser.add_argument("--aggregate", type=json.loads)
    parser.add_argument("--remainder")
    parser.add_argument("--outdir", type=Path)
    parser.add_argument("--ext", default=".wav")
    parser.add_argument("--keep-warm")
    return parser.parse_args()


def _work(begin: float) -> None:
    while (part := (time.monotonic() - begin) / (settings := _configuration())["seconds"]) < 1:
        sys.stderr.write(f"\r{settings['says']}: {100 * part:3.0f}%|#| 12.5M/35.6M [")
        sys.stderr.flush()
        time.sleep(0.02)


def _configuration() -> dict:
    return json.loads((HOME / "engine.json").read_text())


def _log_event(job: str, event: str) -> None:
    with (HOME / "engine.log").open("a") as log:
        log.write(f"{job} {event}\n")


if __name__ == "__main__":
    sys.exit(main())
