"""The HTTP side of errors: the status, the heading and the headers of each, and the body that the visitor gets."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from webapp import errors
from webapp.errors import SeparatorError
from webapp.jobs import store, trash
from webapp.limits import Limits
from webapp.pages.rendering import HTML, JSON, Html, json_body, page, render
from webapp.translation import mark_for_translation, translate

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class HTTPError(SeparatorError):
    """An error response: its status, one sentence for the visitor, headers for programs, and the page's heading."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] = NO_HEADERS, heading: str = ""):
        super().__init__(sentence)
        self.status = HTTPStatus(status)
        self.headers = headers
        self.heading = translate(heading or HEADINGS.get(self.status, DEFAULT_HEADING))


@dataclass(frozen=True)
class _Response:
    """How an error of the application is reported; `retry_seconds` is 0 where it is of no use to retry."""

    status: HTTPStatus
    heading: str = ""
    retry_seconds: int = 0


RESPONSES: dict[type[SeparatorError], _Response] = {
    errors.JobNotFound: _Response(HTTPStatus.NOT_FOUND),
    errors.StemsNotFound: _Response(HTTPStatus.NOT_FOUND),
    errors.StoredFileNotFound: _Response(HTTPStatus.NOT_FOUND),
    errors.EngineNotFound: _Response(HTTPStatus.NOT_FOUND),
    errors.JobDeleted: _Response(HTTPStatus.NOT_FOUND, mark_for_translation("Deleted")),
    errors.AlreadySeparated: _Response(HTTPStatus.CONFLICT, mark_for_translation("Already separated")),
    errors.ChoiceError: _Response(HTTPStatus.BAD_REQUEST, mark_for_translation("These options cannot be used")),
    errors.AudioError: _Response(HTTPStatus.BAD_REQUEST, mark_for_translation("This file cannot be used")),
    errors.AudioTooLong: _Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, mark_for_translation("This song is too long")),
    errors.TooManyJobs: _Response(HTTPStatus.TOO_MANY_REQUESTS, mark_for_translation("Too many songs"), 60),
    errors.DiskFull: _Response(HTTPStatus.SERVICE_UNAVAILABLE, mark_for_translation("The disk is full"), 600),
}
HEADINGS = {
    HTTPStatus.BAD_REQUEST: mark_for_translation("The request could not be processed"),
    HTTPStatus.UNAUTHORIZED: mark_for_translation("Password required"),
    HTTPStatus.FORBIDDEN: mark_for_translation("Access denied"),
    HTTPStatus.NOT_FOUND: mark_for_translation("Not found"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: mark_for_translation("Too large"),
    HTTPStatus.TOO_MANY_REQUESTS: mark_for_translation("Please try again later"),
    HTTPStatus.SERVICE_UNAVAILABLE: mark_for_translation("Please try again later"),
}
DEFAULT_HEADING = mark_for_translation("Something went wrong")


def as_http_error(error: SeparatorError) -> HTTPError:
    """The response to an error of the application."""
    if isinstance(error, HTTPError):
        return error
    response = RESPONSES[type(error)]
    headers = {"Retry-After": str(response.retry_seconds)} if response.retry_seconds else NO_HEADERS
    http_error = HTTPError(response.status, error.sentence, headers, response.heading)
    http_error.job_id = error.job_id
    return http_error


def error_body(error: HTTPError, wants_json: bool) -> tuple[str, bytes]:
    """The content type and the body of an error response, as a page or as JSON."""
    if wants_json:
        return JSON, json_body({"error": error.sentence})
    way = _way_on(error.job_id)
    texts = {"heading": error.heading, "sentence": error.sentence}
    return HTML, page("error.html", **texts, way=way, quiet="quiet" if way else "").encode()


def _way_on(job_id: str) -> Html:
    """A button that restores the song that an error is about if it was deleted, and a link to it otherwise."""
    if trash.find(job_id):
        return render("error/restore.html", job=job_id)
    with suppress(errors.JobNotFound):
        return render("error/song.html", job=store.load(job_id).id)
    return Html()


def page_not_found() -> HTTPError:
    return HTTPError(HTTPStatus.NOT_FOUND, translate("There is no page at this address."))


def too_many_people() -> HTTPError:
    sentence = translate("Too many people are here at the moment. Please try again in a few seconds.")
    return HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": "5"})


def unsupported(status: HTTPStatus) -> HTTPError:
    return HTTPError(status, translate("This request cannot be answered ({reason}).", reason=status.phrase.lower()))


def too_large(limits: Limits) -> HTTPError:
    sentence = translate(
        "This file is too large: at most {limit} GB can be uploaded.", limit=f"{limits.max_upload_gb:g}"
    )
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)


def upload_gave_way() -> HTTPError:
    sentence = translate(
        "The upload was cancelled because it was slow and others were waiting. Please try again in a few minutes."
    )
    return HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": "60"})


def upload_timeout() -> HTTPError:
    return HTTPError(HTTPStatus.REQUEST_TIMEOUT, translate("The upload was cancelled because it was too slow."))


def upload_interrupted() -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, translate("The connection was lost during the upload."))


def internal_error() -> HTTPError:
    sentence = translate("Something went wrong on this machine. The server's log has the details.")
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
