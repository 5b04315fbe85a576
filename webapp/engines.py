"""The table of engines, engines.toml, and the choices that it gives: models, stems and formats."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path

from webapp.engine import Engine, Fallback, Model, Stems, filled
from webapp.folders import ROOT
from webapp.refusal import Refusal
from webapp.words import say

DEFAULT_MODEL = "umx"  # the thesis's choice
DEFAULT_ENGINE = "openunmix"
TWO_STEMS, FOUR_STEMS = "2", "4"  # vocals and music; vocals, drums, bass and other
DEFAULT_FORMAT = "wav"
TABLE = Path(__file__).with_name("engines.toml")


@dataclass(frozen=True)
class Choice:
    """A model as the options show it. `install` is the command that installs its engine, empty if it is there."""

    name: str
    engine: str
    title: str  # of the engine
    about: str  # quality and speed, a sentence without its full stop
    licence: str
    stems: tuple[str, ...]
    formats: tuple[str, ...]
    install: str = ""
    to_fetch: Mapping[str, int] = field(default_factory=dict)  # stems → bytes that must be fetched first


@cache
def choices() -> tuple[Choice, ...]:
    """All models of all engines, each name once, in the table's order; looked up once a process, so in scripts only."""
    found: dict[str, Choice] = {}
    for engine in table().values():
        for choice in _listed(engine) if engine.listing else _named(engine):
            found.setdefault(choice.name, choice)
    return tuple(found.values())


def choose(model: str, stems: str, format: str) -> Choice:
    """The choice of these three. Raises Refusal (400) with a sentence if they cannot work."""
    known = {choice.name: choice for choice in choices()}
    choice = known.get(model)
    if choice is None:
        there = ", ".join(name for name, one in known.items() if not one.install)
        raise _refusal(say("There is no such model here. There are: {models}.", models=there))
    if choice.install:
        raise _refusal(
            say("{engine} is not installed. To install it: {command}", engine=choice.title, command=choice.install)
        )
    if stems not in (TWO_STEMS, FOUR_STEMS):
        raise _refusal(say("A song can be split into 2 stems or into 4."))
    if stems not in choice.stems:
        raise _refusal(_no_such_stems(model, stems))
    if format not in choice.formats:
        there = ", ".join(choice.formats)
        raise _refusal(
            say("The stems cannot be written as that with {model}, only as: {formats}.", model=model, formats=there)
        )
    return choice


def get(name: str) -> Engine:
    """The engine `name`. Raises Refusal (404) if the table has it no more."""
    try:
        return table()[name]
    except KeyError:
        sentence = say("The engine {engine} is no longer here, and with it this file's stems.", engine=name)
        raise Refusal(HTTPStatus.NOT_FOUND, sentence) from None


@cache
def table() -> dict[str, Engine]:
    """The engines by name."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    entries = tomllib.loads(TABLE.read_text("utf-8"))
    return {name: _engine(name, entry) for name, entry in entries.items()}


def _engine(name: str, entry: dict) -> Engine:
    """An entry of the table as an Engine. Raises TypeError for a line that it cannot have or lacks."""
    if "fallback" in entry:
        entry["fallback"] = Fallback(**entry["fallback"])
    entry["stems"] = {stems: Stems(**value) for stems, value in entry["stems"].items()}
    entry["models"] = tuple(Model(**model) for model in entry.get("models", ()))
    entry["progress"] = {doing: re.compile(pattern) for doing, pattern in entry["progress"].items()}
    return Engine(name=name, **entry)


def _named(engine: Engine) -> list[Choice]:
    """The models that stand in the table."""
    install = "" if engine.is_installed() else engine.install
    shared = {
        "engine": engine.name,
        "title": engine.title,
        "stems": tuple(engine.stems),
        "formats": tuple(engine.formats),
    }
    return [
        Choice(name=name, about=model.about, licence=model.licence, install=install, **shared)
        for model in engine.models
        for name in model.names()
    ]


def _listed(engine: Engine) -> list[Choice]:
    """The models that the engine's own command lists."""
    command = [filled(part) for part in engine.listing]
    answer = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    found = [_listed_choice(engine, model) for model in json.loads(answer.stdout)]
    return [choice for choice in found if choice.stems]


def _listed_choice(engine: Engine, model: dict) -> Choice:
    missing = model["missing"]
    there = {target for target in model["targets"] if missing.get(target) != 0}
    to_fetch = {
        name: sum(missing.get(target, 0) for target in stems.targets)
        for name, stems in engine.stems.items()
        if there.issuperset(stems.targets)
    }
    return Choice(
        name=model["name"],
        engine=engine.name,
        title=engine.title,
        about=model["description"],
        licence=model["licence"],
        stems=tuple(to_fetch),
        formats=tuple(engine.formats),
        to_fetch=to_fetch,
    )


def _no_such_stems(model: str, stems: str) -> str:
    if stems == FOUR_STEMS:
        return say(
            "The model {model} gives vocals and music only. Please choose two stems, or another model.", model=model
        )
    return say("The model {model} cannot split a song into vocals and music. Please choose another.", model=model)


def _refusal(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, sentence)
