"""Pages: the HTML files in `static/`, in the visitor's language, with their blanks filled in."""

import html
import json
import re
import string
from http import HTTPStatus

from webapp.folders import STATIC
from webapp.refusal import Refusal
from webapp.words import language, say

HTML = "text/html; charset=utf-8"
JSON = "application/json"

WORDS = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)


class Html(str):
    """Text that is HTML already, as `part` makes it."""

    __slots__ = ()


def page(file_name: str, /, **blanks: object) -> str:
    """The page `static/<file_name>`, its title and its <main>, in the frame that all pages have."""
    head, main, rest = part(file_name, **blanks).partition("<main")
    return part("frame.html", language=language.get(), head=Html(head.strip()), main=Html((main + rest).strip()))


def part(file_name: str, /, **blanks: object) -> Html:
    """The HTML of `static/<file_name>`: `{{English text}}` translated, each `$blank` filled with its value.

    Values are made safe for HTML, other than those that are `Html`.
    """
    text = WORDS.sub(_translated, (STATIC / file_name).read_text("utf-8"))
    return Html(string.Template(text).substitute({key: _safe(value) for key, value in blanks.items()}))


def error_body(refusal: Refusal, wants_json: bool) -> tuple[str, bytes]:
    """What a refused visitor gets, a page or JSON: the content type, and the body."""
    if wants_json:
        return JSON, json_body({"error": refusal.sentence})
    return HTML, page("error.html", heading=_heading(refusal.status), sentence=refusal.sentence).encode()


def json_body(content: dict) -> bytes:
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()


def length(seconds: float) -> str:
    """A length of audio as people write it: 0:07, 3:25, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _heading(status: HTTPStatus) -> str:
    headings = {
        HTTPStatus.BAD_REQUEST: say("This file cannot be used"),
        HTTPStatus.UNAUTHORIZED: say("Who are you?"),
        HTTPStatus.FORBIDDEN: say("Not from here"),
        HTTPStatus.NOT_FOUND: say("Not found"),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: say("Too large"),
        HTTPStatus.TOO_MANY_REQUESTS: say("Not now"),
        HTTPStatus.SERVICE_UNAVAILABLE: say("Not now"),
    }
    return headings.get(status, say("Something went wrong"))


def _translated(words: re.Match) -> str:
    return html.escape(say(" ".join(words[1].split())))


def _safe(value: object) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))
