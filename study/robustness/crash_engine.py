"""A fake engine for the crash trials: it waits a moment and copies the source to each stem.

If its parent has died meanwhile, it hangs, so that the trial can check that the next worker finds and kills it. If two
run for the same job at the same time, it records that in `overlap_note`.
"""

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

WORK_SECONDS, HANG_SECONDS = 0.05, 60.0


def main(parent: str, source: str, overlap_note: str, *stems: str) -> None:
    with Path(f"{overlap_note}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            Path(overlap_note).write_text("overlaps")
        time.sleep(WORK_SECONDS)
        if os.getppid() != int(parent):
            time.sleep(HANG_SECONDS)
        for stem in stems:
            Path(stem).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, stem)


if __name__ == "__main__":
    main(*sys.argv[1:])
