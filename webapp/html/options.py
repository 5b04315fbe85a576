"""The options that stand, folded, beside SEPARATE: plain form fields, with the thesis's choices as defaults."""

from webapp import engines
from webapp.engines import DEFAULT_MODEL, FOUR_STEMS, TWO_STEMS, Choice
from webapp.html.pages import Html, part
from webapp.words import say


def options() -> Html:
    """The fields `model`, `stems` and `format` of the form that SEPARATE sends."""
    return part("options/options.html", models=Html("".join(map(_model, engines.choices()))))


def about_model(name: str) -> str:
    """What a model is, in a sentence; empty if it is here no more."""
    return next((f"{say(choice.about)}." for choice in engines.choices() if choice.name == name), "")


def line(choice: Choice) -> str:
    """What a model is, in one line: quality and speed, licence, and what must be fetched first."""
    sentences = [say(choice.about), say("Licence: {licence}", licence=say(choice.licence))]
    if FOUR_STEMS not in choice.stems:
        sentences.insert(1, say("Vocals and music only"))
    if choice.to_fetch.get(TWO_STEMS):
        sentences.append(_to_fetch(choice))
    return " ".join(f"{sentence}." for sentence in sentences)


def _to_fetch(choice: Choice) -> str:
    two, four = (round(choice.to_fetch.get(stems, 0) / 1e6) for stems in (TWO_STEMS, FOUR_STEMS))
    if four:
        return say("{two} MB must be fetched first, for four stems {four} MB", two=two, four=four)
    return say("{two} MB must be fetched first", two=two)


def _model(choice: Choice) -> Html:
    state = " disabled" if choice.install else " checked" if choice.name == DEFAULT_MODEL else ""
    note = part("options/install.html", command=choice.install) if choice.install else ""
    kind = "" if FOUR_STEMS in choice.stems else "two-only"
    return part("options/model.html", name=choice.name, kind=kind, state=state, line=line(choice), note=note)
