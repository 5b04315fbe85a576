#!/usr/bin/env python3
"""GET: all stems of a job as one zip."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, names, script
from webapp.zips import Zip


def main(request: script.Request) -> None:
    job = jobs.load_done(request.field("job"))
    with Zip({names.stem(job, name, path.suffix): path for name, path in job.stems().items()}) as zipped:
        jobs.touch(job)
        script.stream("application/zip", f"{names.song(job)}.zip", zipped.length, zipped.chunks())


script.run(main)
