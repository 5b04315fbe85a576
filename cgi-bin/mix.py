#!/usr/bin/env python3
"""GET: the stems of a job, each at the level that is asked for, as one WAV."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, names, script


def main(request: script.Request) -> None:
    job = jobs.load_done(request.field("job"))
    from webapp.mix import Mix, levels  # here, since numpy takes its time, and a stranger is told so without it

    with Mix(job, levels(job, request.field)) as mix:
        jobs.touch(job)
        script.stream("audio/wav", names.stem(job, "mix", ".wav"), mix.length, mix.chunks())


script.run(main)
