"""Pages: the HTML files in `static/` with their blanks filled in."""

import html
import json
import string
from http import HTTPStatus

from webapp.folders import STATIC
from webapp.refusal import Refusal

HTML = "text/html; charset=utf-8"
JSON = "application/json"

HEADINGS = {
    HTTPStatus.BAD_REQUEST: "This file cannot be used",
    HTTPStatus.FORBIDDEN: "Not from here",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
}


def page(file_name: str, /, **blanks: object) -> str:
    """The page `static/<file_name>` with each `$blank` replaced by its value, made safe for HTML."""
    template = string.Template((STATIC / file_name).read_text("utf-8"))
    return template.substitute({key: html.escape(str(value)) for key, value in blanks.items()})


def error_body(refusal: Refusal, wants_json: bool) -> tuple[str, bytes]:
    """What a refused visitor gets, a page or JSON: the content type, and the body."""
    if wants_json:
        return JSON, (json.dumps({"error": refusal.sentence}) + "\n").encode()
    heading = HEADINGS.get(refusal.status, "Something went wrong")
    return HTML, page("error.html", heading=heading, sentence=refusal.sentence).encode()


def length(seconds: float) -> str:
    """A length of audio as people write it: 0:07, 3:25, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
