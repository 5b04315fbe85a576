"""What a visitor can choose: the models of all engines, and the stems of each."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.engines import availability, listing
from webapp.engines.engine import NO_FACTS, Engine, Facts, Fallback, Model
from webapp.engines.lookup import Lookup
from webapp.engines.table import engines, find_engine
from webapp.errors import ChoiceError
from webapp.translation import translate

DEFAULT_MODEL = "umx"  # the thesis's choice
DEFAULT_ENGINE = "openunmix"
TWO_STEMS, BEST_TWO_STEMS, FOUR_STEMS = "2", "2-best", "4"
STEM_NAMES = {
    TWO_STEMS: ("vocals", "music"),
    BEST_TWO_STEMS: ("vocals", "music"),  # by four networks instead of one
    FOUR_STEMS: ("vocals", "drums", "bass", "other"),
}


@dataclass(frozen=True)
class Choice:
    """A model as the options show it.

    `stems` are those that it can make, `offered` those of them that can be made now: the weights are on the disk, or
    could be fetched when that was last tried. `to_fetch` has the bytes that must be fetched first for each of them.
    """

    name: str
    engine: str
    title: str  # of the engine
    about: str  # what it is good at, a sentence without its full stop
    licence: str
    stems: tuple[str, ...]
    offered: tuple[str, ...]
    install: str = ""  # the command that installs its engine, empty if that is installed
    fetch: str = ""  # the command that fetches its weights ahead of time, where there is one
    facts: Facts = NO_FACTS
    targets: tuple[str, ...] = ()  # that the model has, where its engine lists them
    to_fetch: Mapping[str, int] = field(default_factory=dict)
    on_disk: frozenset[str] = frozenset()  # stems for which nothing must be fetched, where its engine lists them

    @property
    def is_here(self) -> bool:
        """Whether it can be used at once, as far as that is known."""
        return bool(self.on_disk) if self.targets else bool(self.offered)


def all_choices() -> tuple[Choice, ...]:
    """All models of all engines, each name once, in the table's order; looked up once per process.

    A process that stays must call `refresh` or `renew` first. Raises OSError if an engine cannot list its models.
    """
    return _lookup.get()


def refresh() -> None:
    """Let `all_choices` look up again which models there are."""
    _lookup.clear()


def renew() -> None:
    """Let `all_choices` look up again if it is time, without waiting where that is possible."""
    _lookup.renew()


def default_choice(stems: str = TWO_STEMS) -> Choice:
    """The choice for `stems` if no model is chosen: DEFAULT_MODEL, or its best replacement while it is unavailable."""
    default = next(choice for choice in all_choices() if choice.name == DEFAULT_MODEL)
    return default if stems in default.offered else replacement(DEFAULT_MODEL, stems) or default


def replacement(model: str, stems: str) -> Choice | None:
    """The best model on the disk that replaces `model`, of the default engine, for these stems; None if there is none.

    The table lists the replacements from the best to the worst; a model is replaced by a later one only.
    """
    known = {choice.name: choice for choice in all_choices()}
    candidates = [known[name] for name in _default_fallback().after(model) if name in known]
    return next((choice for choice in candidates if stems in choice.on_disk), None)


def worth_fetching() -> Choice | None:
    """The best replacement of the default model, if it is not on the disk but could be fetched ahead of time."""
    to = _default_fallback().to
    best = next((choice for name in to for choice in all_choices() if choice.name == name), None)
    return best if best and TWO_STEMS not in best.on_disk else None


def ready(stems: str) -> list[Choice]:
    """The models that can make these stems at once, without a network."""
    return [choice for choice in all_choices() if stems in choice.on_disk]


def choose(model: str, stems: str) -> Choice:
    """The choice of these two. Raises ChoiceError if they cannot be used together."""
    known = {choice.name: choice for choice in all_choices()}
    choice = known.get(model)
    if choice is None:
        installed = ", ".join(name for name, one in known.items() if not one.install)
        raise ChoiceError(translate("There is no such model here. There are: {models}.", models=installed))
    if choice.install:
        raise ChoiceError(
            translate(
                "{engine} is not installed. To install it: {command}", engine=choice.title, command=choice.install
            )
        )
    if stems not in STEM_NAMES:
        raise ChoiceError(translate("A song can be split into 2 stems or into 4."))
    if stems not in choice.stems:
        raise ChoiceError(_no_such_stems(model, stems))
    return choice


def _default_fallback() -> Fallback:
    fallback = find_engine(DEFAULT_ENGINE).fallback
    assert fallback is not None  # noqa: S101 (the table is the project's own)
    return fallback


def _named(engine: Engine) -> list[Choice]:
    """The models that the table itself names."""
    return [_named_choice(engine, model, name) for model in engine.models for name in model.names()]


def _named_choice(engine: Engine, model: Model, name: str) -> Choice:
    install = "" if engine.is_installed() else engine.install_command()
    return Choice(
        name=name,
        engine=engine.name,
        title=engine.title,
        about=model.about,
        licence=model.licence,
        facts=model.facts,
        stems=tuple(engine.stems),
        offered=() if install else tuple(engine.stems),
        install=install,
    )


def _listed(engine: Engine) -> list[Choice]:
    """The models that the engine's own command lists. Raises OSError."""
    unavailable = availability.load().unavailable
    try:
        found = [_listed_choice(engine, model, model["name"] in unavailable) for model in listing.models(engine)]
    except (KeyError, TypeError) as error:
        raise OSError(errno.EIO, f"the models of {engine.name} could not be listed") from error
    return [choice for choice in found if choice.stems]


def _listed_choice(engine: Engine, model: dict[str, Any], unavailable: bool = False) -> Choice:
    """A model of an engine's list. If it is `unavailable`, what is missing of it cannot be fetched at present."""
    name, missing = model["name"], model["missing"]
    only_on_disk = name in engine.parts
    targets = {target for target in model["targets"] if only_on_disk or missing.get(target) != 0}
    variants = {stems: variant for stems, entry in engine.stems.items() if (variant := entry.variant_for(targets))}
    on_disk = frozenset(stems for stems, variant in variants.items() if missing.keys().isdisjoint(variant.targets))
    return Choice(
        name=name,
        engine=engine.name,
        title=engine.title,
        about=model["description"],
        licence=model["licence"],
        facts=engine.facts.get(name, NO_FACTS),
        targets=tuple(model["targets"]),
        stems=tuple(variants),
        offered=tuple(stems for stems in variants if stems in on_disk or not (unavailable or only_on_disk)),
        fetch=engine.fetch_command(name),
        to_fetch={
            stems: sum(missing.get(target, 0) for target in variant.targets) for stems, variant in variants.items()
        },
        on_disk=on_disk,
    )


def _no_such_stems(model: str, stems: str) -> str:
    if stems == BEST_TWO_STEMS:
        return translate(
            "Best quality takes four networks, which the model {model} does not have. Please choose two stems, or"
            " another model.",
            model=model,
        )
    if stems == FOUR_STEMS:
        return translate(
            "The model {model} gives vocals and music only. Please choose two stems, or another model.", model=model
        )
    return translate("The model {model} cannot split a song into vocals and music. Please choose another.", model=model)


def _look_up() -> tuple[Choice, ...]:
    found: dict[str, Choice] = {}
    for engine in engines().values():
        for choice in _listed(engine) if engine.listing else _named(engine):
            found.setdefault(choice.name, choice)
    return tuple(found.values())


_lookup = Lookup(_look_up)
