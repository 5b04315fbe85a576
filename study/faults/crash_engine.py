"""Stands in for the command that separates: a copy of the source for each stem, after a moment.

If whoever started it dies, it hangs: what is left of it must be found and ended.
"""

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

MOMENT_SECONDS, HANGS_SECONDS = 0.05, 60.0


def main(parent: str, source: str, notes: str, *stems: str) -> None:
    with Path(f"{notes}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            Path(notes).write_text("overlaps")
        time.sleep(MOMENT_SECONDS)
        if os.getppid() != int(parent):
            time.sleep(HANGS_SECONDS)
        for stem in stems:
            Path(stem).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, stem)


if __name__ == "__main__":
    main(*sys.argv[1:])
