"""Rendering of pages: the HTML templates, translated, with their placeholders filled in."""

import html
import json
import re
import string
from collections.abc import Sequence
from functools import cache
from typing import Any

from webapp.pages.addresses import with_prefix
from webapp.paths import TEMPLATES
from webapp.translation import language, translate
from webapp.version import project_version

HTML = "text/html; charset=utf-8"
JSON = "application/json"

TRANSLATED = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)


class Html(str):
    """Text that is HTML already, as `render` returns it."""

    __slots__ = ()


def page(template: str, /, **values: object) -> str:
    """The whole page of `templates/<template>`: its title and its <main>, in the frame that all pages share."""
    head, main, rest = render(template, **values).partition("<main")
    head, main = Html(head.strip()), Html((main + rest).strip())
    return render("frame.html", language=language.get(), head=head, main=main, version=project_version())


def render(template: str, /, **values: object) -> Html:
    """The HTML of `templates/<template>`, with each `{{English text}}` translated and each `$name` replaced.

    Values are escaped, except those that are `Html`.
    """
    text = TRANSLATED.sub(_translated, with_prefix(_read(template)))
    return Html(string.Template(text).substitute({name: _escaped(value) for name, value in values.items()}))


@cache
def _read(template: str) -> str:
    """The text of a template. The server keeps it, since it may have to render a thousand pages at once."""
    return (TEMPLATES / template).read_text("utf-8")


def json_body(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()


def format_length(seconds: float) -> str:
    """A length of audio: 0:07, 3:25, 1:02:03; less than a second: 0:00.01."""
    if 0 < seconds < 0.995:
        return f"0:{seconds:05.2f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def join(parts: Sequence[Html]) -> Html:
    return Html("\n".join(parts))


def _translated(found: re.Match[str]) -> str:
    return html.escape(translate(" ".join(found[1].split())))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))
