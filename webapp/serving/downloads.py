"""What lies under `/downloads/<job>/`: stems, the mixture to hear them beside, and their pictures."""

import re
import sys
from http import HTTPStatus

from webapp import jobs, names
from webapp.html.result_page import IN_PIECES
from webapp.limits import PIECE_BYTES
from webapp.refusal import no_such_file, nothing_here
from webapp.serving.connection import Connection
from webapp.serving.files import send_file

PATH = re.compile(r"/downloads/([0-9a-f]{32})/([a-z]+)\.(wav|flac|peaks|spectrogram)")
PICTURES = ("peaks", "spectrogram")


def send(connection: Connection, route: str, query: str) -> None:
    """Answer a GET or HEAD for `route`. Raises Refusal (404) if there is no such file."""
    found = PATH.fullmatch(route)
    if not found:
        raise nothing_here()
    job_id, name, kind = found.groups()
    job = jobs.load(job_id)
    # A browser has six connections to a server, and each track of a player keeps one until it has all it asked.
    most_bytes = PIECE_BYTES if query == IN_PIECES else sys.maxsize
    if kind in PICTURES:
        _send_picture(connection, job, name, kind)
    elif (name, kind) == ("mixture", "wav"):
        send_file(connection, job.source, "audio/wav", most_bytes=most_bytes)
    else:
        _send_stem(connection, job, name, kind, most_bytes)


def _send_stem(connection: Connection, job: jobs.Job, name: str, format: str, most_bytes: int) -> None:
    path = job.stems().get(name)
    if not path or format != job.format:
        raise no_such_file()
    jobs.touch(job)
    disposition = names.attachment(names.stem(job, name, path.suffix))
    send_file(connection, path, f"audio/{format}", disposition, most_bytes)


def _send_picture(connection: Connection, job: jobs.Job, name: str, kind: str) -> None:
    path = job.outdir / f"{name}.{kind}"
    if job.state == "done" and name in ("mixture", *job.stems()) and not path.exists():
        connection.send_response(HTTPStatus.NO_CONTENT)  # not drawn yet: a browser would note a 404 as the page's fault
        connection.end_headers()
    else:
        send_file(connection, path, "application/octet-stream")
