"""The words that people read, in their language: the English sentence is the key to its translation.

A language is a file, `static/words/<language>.json`, from English sentences to its own.
"""

import json
import re
from contextvars import ContextVar
from functools import cache

from webapp.folders import STATIC

ENGLISH = "en"
WORDS = STATIC / "words"
BLANK = re.compile(r"\{(\w+)\}")
RANGE = re.compile(r"([a-z]{1,8}|\*)(?:-[a-z0-9-]*)?(?:;q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")  # RFC 9110, 12.5.4

# Of the request that this thread, or this script, is answering.
language: ContextVar[str] = ContextVar("language", default=ENGLISH)


def say(sentence: str, /, **values: object) -> str:
    """`sentence` in the visitor's language, or as it stands, with each `{value}` filled in."""
    translation = _translations(language.get()).get(sentence, sentence)
    return BLANK.sub(lambda blank: str(values.get(blank[1], blank[0])), translation)


def later(sentence: str) -> str:
    """Mark a sentence that is translated only when it is shown, by `say`."""
    return sentence


def listen(accept_language: str) -> None:
    """Speak from here on the language that `accept_language`, the header, likes best of those that there are."""
    language.set(_best(accept_language))


@cache
def languages() -> frozenset[str]:
    return frozenset({ENGLISH} | {path.stem for path in WORDS.glob("*.json")})


def _best(accept_language: str) -> str:
    """The first of the best liked; a language of a region counts as the language."""
    liking: dict[str, float] = {}
    for part in accept_language.lower().replace(" ", "").split(","):
        found = RANGE.fullmatch(part)
        name = ENGLISH if found and found[1] == "*" else found and found[1]
        if name in languages():
            liking.setdefault(name, float(found[2] or 1))
    best = max(liking, key=liking.__getitem__, default=ENGLISH)
    return best if liking.get(best) else ENGLISH


@cache
def _translations(name: str) -> dict[str, str]:
    return {} if name == ENGLISH else json.loads((WORDS / f"{name}.json").read_text("utf-8"))
