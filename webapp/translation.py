"""Translation of the sentences that visitors read; the English sentence is the key.

A language is a file `pages/translations/<language>.json`, which maps each English sentence to its translation.
"""

import json
import re
from contextvars import ContextVar
from functools import cache

from webapp.paths import TRANSLATIONS

ENGLISH = "en"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# A language range of `Accept-Language` with its quality (RFC 9110, section 12.5.4).
RANGE = re.compile(r"([a-z]{1,8}|\*)(?:-[a-z0-9-]*)?(?:;q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")

# The language of the request that this thread, or this script, is answering.
language: ContextVar[str] = ContextVar("language", default=ENGLISH)


def translate(sentence: str, /, **values: object) -> str:
    """Return `sentence` in the visitor's language, with each `{placeholder}` replaced by its value.

    A sentence without a translation stays in English; a placeholder without a value stays as it is.
    """
    translation = _translations(language.get()).get(sentence, sentence)
    return PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), translation)


def mark_for_translation(sentence: str) -> str:
    """Return `sentence` unchanged; the mark says that `translate` will translate it when it is shown."""
    return sentence


def set_language(accept_language: str) -> None:
    """Set the language of this thread to the one that the `Accept-Language` header prefers among those available."""
    language.set(_preferred(accept_language))


@cache
def languages() -> frozenset[str]:
    """The languages that are available, as two-letter codes."""
    return frozenset({ENGLISH} | {path.stem for path in TRANSLATIONS.glob("*.json")})


def _preferred(accept_language: str) -> str:
    """The first language of the highest quality. A regional variant counts as its language."""
    qualities: dict[str, float] = {}
    for part in accept_language.lower().replace(" ", "").split(","):
        if found := RANGE.fullmatch(part):
            name = ENGLISH if found[1] == "*" else found[1]
            if name in languages():
                qualities.setdefault(name, float(found[2] or 1))
    best = max(qualities, key=qualities.__getitem__, default=ENGLISH)
    return best if qualities.get(best) else ENGLISH


@cache
def _translations(name: str) -> dict[str, str]:
    if name == ENGLISH:
        return {}
    translations: dict[str, str] = json.loads((TRANSLATIONS / f"{name}.json").read_text("utf-8"))
    return translations
