"""The files under `/downloads/<job>/`: stems, the mixture to play with them, and their pictures."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from webapp.errors import StoredFileNotFound
from webapp.jobs import file_names, store
from webapp.jobs.job import Job
from webapp.pages.attachment import attachment
from webapp.pages.http_errors import page_not_found
from webapp.pages.result_page import IN_PIECES, MIXTURE
from webapp.server import routes, script_response
from webapp.server.file_response import send_file
from webapp.server.request import Request

if TYPE_CHECKING:
    from webapp.server.handler import Handler

PATH = re.compile(r"/downloads/([0-9a-f]{32})/([a-z]+)\.(wav|flac|peaks|spectrogram)")
PICTURES = ("peaks", "spectrogram")


def send(handler: Handler, request: Request) -> None:
    """Answer a GET or HEAD. Raises HTTPError (404), JobNotFound, StoredFileNotFound."""
    found = PATH.fullmatch(request.route)
    if not found:
        raise page_not_found()
    job_id, name, kind = found.groups()
    job = store.load(job_id)
    # A browser opens six connections to a server, and a track keeps one until it has received all that it asked for.
    max_bytes = handler.server.limits.range_bytes if request.query == IN_PIECES else sys.maxsize
    if kind in PICTURES:
        _send_picture(handler, request, job, name, kind)
    elif (name, kind) == (MIXTURE, "wav"):
        send_file(handler, request, job.source, "audio/wav", max_bytes=max_bytes)
    else:
        _send_stem(handler, request, job, name, kind, max_bytes)


def _send_stem(handler: Handler, request: Request, job: Job, name: str, kind: str, max_bytes: int) -> None:
    """Send a stem as it stands on the disk, or let a script make it in the format and sample rate of the query."""
    path = job.stems().get(name)
    if not path or kind not in ("wav", job.format):
        raise StoredFileNotFound
    query = dict(parse_qsl(request.query))
    format, rate = query.get("format", kind), query.get("rate", "")
    if format != "wav" or rate:
        wanted = urlencode({"job": job.id, "stem": name, "format": format, "rate": rate})
        script_response.run_script(handler, replace(request, route=routes.STEM, query=wanted))
        return
    store.touch(job)
    disposition = attachment(file_names.stem_file_name(job, name, path.suffix))
    send_file(handler, request, path, "audio/wav", disposition, max_bytes)


def _send_picture(handler: Handler, request: Request, job: Job, name: str, kind: str) -> None:
    path = job.outdir / f"{name}.{kind}"
    if job.is_done and name in (MIXTURE, *job.stems()) and not path.exists():
        handler.send_response(HTTPStatus.NO_CONTENT)  # not drawn yet; a browser would report a 404 as an error
        handler.end_headers()
    else:
        send_file(handler, request, path, "application/octet-stream")
