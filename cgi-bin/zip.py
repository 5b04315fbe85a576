#!/usr/bin/env python3
"""GET: all stems of a job as one zip file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import exports, response, script
from webapp.cgi.request import Request
from webapp.cgi.zip_stream import Zip
from webapp.jobs import file_names, store


def main(request: Request) -> None:
    job = store.load_done(request.field("job"))
    format = exports.find_format(request, job.format)
    with exports.open_stems(job, list(job.stems()), format, request.field("rate")) as files:
        store.touch(job)
        zipped = Zip({file_names.stem_file_name(job, name, format.extension): file for name, file in files.items()})
        response.stream("application/zip", f"{file_names.song_name(job)}.zip", zipped.length, zipped.chunks())


script.run(main)
