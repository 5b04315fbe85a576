"""The options of a separation, folded: plain form fields, preset to what is used if nothing is chosen."""

from collections.abc import Sequence

from webapp.engines import choices, table
from webapp.engines.choices import BEST_TWO_STEMS, DEFAULT_MODEL, FOUR_STEMS, TWO_STEMS, Choice
from webapp.pages.rendering import Html, join, render
from webapp.translation import translate

NOTHING = Html()


def options(note: Html = NOTHING) -> Html:
    """The fields `model` and `stems` of the form that SEPARATE sends, with a note above them."""
    default = choices.default_choice()
    listed = [choice for choice in choices.all_choices() if choice.is_here or choice.name == default.name]
    others = [choice for choice in choices.all_choices() if choice not in listed]
    return render(
        "options/options.html",
        note=note,
        models=join([_row(choice, default) for choice in listed]),
        details=join([_details(choice) for choice in (*listed, *others)]),
        more=_more(sorted(others, key=lambda choice: not choice.offered)),
        **{f"state_{name}": _state(stems) for name, stems in (("best", BEST_TWO_STEMS), ("four", FOUR_STEMS))},
        best_models=_models_for(BEST_TWO_STEMS),
        four_models=_models_for(FOUR_STEMS),
    )


def about_default() -> Html:
    """Why the usual model is not the one that is used, and how to get a better one; empty if it is the usual one."""
    default = choices.default_choice()
    if default.name == DEFAULT_MODEL:
        return Html()
    sentence = translate(
        "The model {usual} cannot be fetched at the moment. The best one here is used: {model}.",
        usual=DEFAULT_MODEL,
        model=default.name,
    )
    wanted = choices.worth_fetching()
    better = render("options/better.html", command=wanted.fetch) if wanted else Html()
    return render("options/default.html", sentence=sentence, better=better)


def about_model(name: str) -> str:
    """What a model is, in a sentence; empty if it is not here any more."""
    return next((f"{translate(choice.about)}." for choice in choices.all_choices() if choice.name == name), "")


def _row(choice: Choice, default: Choice) -> Html:
    """A row of the table of models."""
    return render(
        "options/row.html",
        name=choice.name,
        kind=_kind(choice),
        state=_state_of(choice, default),
        good_for=translate(choice.facts.good_for or choice.about),
        limits="" if _gives_four(choice) else translate("Vocals and music only"),
        note=_how_to_get(choice) if choice.name == default.name else Html(),
        time=translate("{seconds} s", seconds=f"{choice.facts.seconds:g}") if choice.facts.seconds else "",
        size=translate("{number} MB", number=f"{choice.facts.megabytes:g}") if choice.facts.megabytes else "",
    )


def _more(others: Sequence[Choice]) -> Html:
    """The models that are not on this machine, folded, each with what must be fetched or installed first."""
    return render("options/more.html", models=join([_other(choice) for choice in others])) if others else Html()


def _other(choice: Choice) -> Html:
    state = "" if choice.offered else " disabled"
    line = f"{translate(choice.facts.good_for or choice.about)}."
    return render(
        "options/model.html", name=choice.name, kind=_kind(choice), state=state, line=line, note=_how_to_get(choice)
    )


def _details(choice: Choice) -> Html:
    """A paragraph on what a model is, its quality in figures, and its licence."""
    sentences = [
        translate(choice.about),
        translate(choice.facts.figures),
        "" if _gives_four(choice) else translate("Vocals and music only"),
        translate("Licence: {licence}", licence=translate(choice.licence)),
    ]
    line = " ".join(f"{sentence}." for sentence in sentences if sentence)
    return render("options/detail.html", name=choice.name, line=line)


def _how_to_get(choice: Choice) -> Html:
    """What must be fetched or installed before a model can be used; empty if nothing must."""
    if choice.install:
        return render("options/install.html", command=choice.install)
    if not choice.offered:
        return render("options/fetch.html", reason=_why_unavailable(choice), command=choice.fetch)
    return render("options/to_fetch.html", sentence=_to_fetch(choice)) if choice.to_fetch.get(TWO_STEMS) else Html()


def _why_unavailable(choice: Choice) -> str:
    if choice.name in table.find_engine(choice.engine).parts:
        return translate("Not on this machine. To fetch what it needs:")
    return translate("Not on this machine, and it cannot be fetched at the moment. To fetch it later:")


def _to_fetch(choice: Choice) -> str:
    two, four = (round(choice.to_fetch.get(stems, 0) / 1e6) for stems in (TWO_STEMS, FOUR_STEMS))
    if four:
        return translate("{two} MB are fetched first, {four} MB for four stems or best quality.", two=two, four=four)
    return translate("{two} MB are fetched first.", two=two)


def _kind(choice: Choice) -> str:
    """Classes for the stems that a model cannot make now."""
    return " ".join(f"no-{stems}" for stems in (BEST_TWO_STEMS, FOUR_STEMS) if stems not in choice.offered)


def _gives_four(choice: Choice) -> bool:
    return bool({FOUR_STEMS, BEST_TWO_STEMS} & set(choice.stems))


def _state_of(choice: Choice, default: Choice) -> str:
    return " checked" if choice.name == default.name else "" if choice.offered else " disabled"


def _state(stems: str) -> str:
    return "" if any(stems in choice.offered for choice in choices.all_choices()) else " disabled"


def _models_for(stems: str) -> str:
    """Which models can make these stems here, in a sentence."""
    names = [choice.name for choice in choices.all_choices() if stems in choice.offered]
    if not names:
        return translate("No model that can do this is on this machine or can be fetched at the moment.")
    return translate("This can be done with: {models}.", models=", ".join(names))
