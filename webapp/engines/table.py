"""The table of engines: engines.toml, read into `Engine` objects."""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from webapp.engines.engine import Engine, Facts, Fallback, Model, Note, Stems, Variant
from webapp.errors import EngineNotFound

TABLE = Path(__file__).with_name("engines.toml")


@cache
def engines() -> dict[str, Engine]:
    """The engines by name."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    entries = tomllib.loads(TABLE.read_text("utf-8"))
    return {name: _engine(name, entry) for name, entry in entries.items()}


def find_engine(name: str) -> Engine:
    """The engine `name`. Raises EngineNotFound if it is not in the table."""
    try:
        return engines()[name]
    except KeyError:
        raise EngineNotFound(name) from None


def _engine(name: str, entry: dict[str, Any]) -> Engine:
    """An entry of the table as an Engine. Raises TypeError for an unknown line, or if a line is missing."""
    if "fallback" in entry:
        entry["fallback"] = Fallback(**entry["fallback"])
    entry["stems"] = {stems: _stems(**value) for stems, value in entry["stems"].items()}
    entry["models"] = tuple(_model(**model) for model in entry.get("models", ()))
    entry["facts"] = {model: Facts(**facts) for model, facts in entry.get("facts", {}).items()}
    if "unfetched" in entry:
        entry["unfetched"] = re.compile(entry["unfetched"])
    entry["progress"] = {doing: re.compile(pattern) for doing, pattern in entry["progress"].items()}
    entry["notes"] = [Note(re.compile(note["pattern"]), note["sentence"]) for note in entry.get("notes", ())]
    return Engine(name=name, **entry)


def _model(facts: dict[str, Any] | None = None, **entry: Any) -> Model:
    return Model(facts=Facts(**facts or {}), **entry)


def _stems(alternative: dict[str, Any] | None = None, **entry: Any) -> Stems:
    return Stems(alternative=Variant(**alternative) if alternative else None, **entry)
