"""The routes of the server: which address is answered by what. Nothing else is served."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from webapp.jobs import store, visitor_jobs
from webapp.pages import songs_page, views, visitors
from webapp.pages.http_errors import HTTPError
from webapp.server import health
from webapp.server.request import Request
from webapp.translation import translate

HEALTH = "/health"
UPLOAD, ZIP, MIX = "/cgi-bin/upload.py", "/cgi-bin/zip.py", "/cgi-bin/mix.py"
STEM = "/cgi-bin/stem.py"  # makes the stems that are not sent as they stand on the disk; see downloads.py
STREAMS = (ZIP, MIX, STEM)  # whose responses are made while they are sent
JOB, SONGS = "/cgi-bin/job.py", "/cgi-bin/songs.py"

# The CGI scripts, each with its method.
SCRIPTS = {
    UPLOAD: "POST",
    "/cgi-bin/uploaded.py": "GET",
    "/cgi-bin/separate.py": "POST",
    JOB: "GET",
    "/cgi-bin/download.py": "GET",
    "/cgi-bin/cancel.py": "POST",
    "/cgi-bin/delete.py": "POST",
    "/cgi-bin/restore.py": "POST",
    SONGS: "GET",
    "/cgi-bin/again.py": "POST",
    ZIP: "GET",
    MIX: "GET",
}

# What monitoring asks for: the status, the content type and the body.
REPORTS: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]] = {HEALTH: health.health, "/metrics": health.metrics}


def check_method(request: Request) -> None:
    """Raise HTTPError (405) if the route's script does not take the request's method."""
    method = SCRIPTS.get(request.route, request.method)
    is_upload = (request.method, request.route) == ("PUT", UPLOAD)  # as `curl -T` sends a file
    if request.method != method and (request.method, method) != ("HEAD", "GET") and not is_upload:
        sentence = translate("This address accepts only {method} requests.", method=method)
        raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, sentence, {"Allow": method})


def _job_status(request: Request) -> dict[str, Any]:
    return views.as_json(store.load(request.field("job")))


def _songs_status(request: Request) -> dict[str, Any]:
    return songs_page.as_json(visitor_jobs.jobs_of(visitors.known_visitor(request.cookies, request.is_https)))


# What open pages ask for every second, as JSON. The server answers it itself, since starting a script each time would
# cost too much. Raises JobNotFound.
_STATUS: dict[str, Callable[[Request], dict[str, Any]]] = {JOB: _job_status, SONGS: _songs_status}


def find_status(request: Request) -> Callable[[Request], dict[str, Any]] | None:
    """What answers a request for a job's or the songs' status as JSON; None for any other request."""
    return _STATUS.get(request.route) if request.wants_json else None
