#!/usr/bin/env python3
"""GET: a mix of a job's stems, each at the requested level, in the requested format."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.audio import mix
from webapp.cgi import exports, response, script
from webapp.cgi.request import Request
from webapp.jobs import file_names, store


def main(request: Request) -> None:
    job = store.load_done(request.field("job"))
    format = exports.find_format(request)
    levels = mix.levels(job.stems(), request.field)
    with exports.open_mix(job, levels, format, request.field("rate")) as made:
        store.touch(job)
        filename = file_names.stem_file_name(job, "mix", format.extension)
        response.stream(format.content_type, filename, made.length, made.chunks())


script.run(main)
