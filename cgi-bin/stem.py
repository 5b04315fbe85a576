#!/usr/bin/env python3
"""GET: a stem in another format or sample rate than it has on the disk. The server runs this for /downloads/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import exports, response, script
from webapp.cgi.request import Request
from webapp.jobs import file_names, store


def main(request: Request) -> None:
    job = store.load_done(request.field("job"))
    name, format = request.field("stem"), exports.find_format(request)
    with exports.open_stems(job, [name], format, request.field("rate")) as files:
        store.touch(job)
        filename, made = file_names.stem_file_name(job, name, format.extension), exports.FileDownload(files[name])
        response.stream(format.content_type, filename, made.length, made.chunks())


script.run(main)
