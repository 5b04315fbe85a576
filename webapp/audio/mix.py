"""What a mix consists of: the stems at the levels that a visitor has set."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from webapp.errors import ChoiceError
from webapp.translation import translate

MAX_LEVEL = 2


def levels(stems: Iterable[str], field: Callable[[str], str]) -> dict[str, float]:
    """The level of each stem, 0 to MAX_LEVEL, as the request's `field` gives it, or else 1. Raises ChoiceError."""
    return {name: _level(name, field(name) or "1") for name in stems}


def parts(source: Path, stems: Mapping[str, Path], levels: Mapping[str, float]) -> dict[Path, float]:
    """The files that the mix is the sum of, each with its level.

    If all levels are 1, it is the source itself, sample for sample, since not every engine's stems add up to it.
    """
    if set(levels.values()) == {1.0}:
        return {source: 1.0}
    return {stems[name]: level for name, level in levels.items()}


def _level(name: str, text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= MAX_LEVEL:
            return float(text)
    raise ChoiceError(translate("The level of {name} must be a number from 0 to {most}.", name=name, most=MAX_LEVEL))
