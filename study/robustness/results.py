"""The result rows that every part of the robustness trials prints as JSON."""

import json
from collections.abc import Iterable
from typing import Any, TypedDict

MAX_FAILURES = 20


class Row(TypedDict):
    """One kind of trial: its name, the number of trials, and what failed (with what is needed to repeat it)."""

    name: str
    trials: int
    failures: list[Any]


def row(name: str, trials: int, failures: Iterable[Any]) -> Row:
    """Return a row with at most MAX_FAILURES failures."""
    return {"name": name, "trials": trials, "failures": list(failures)[:MAX_FAILURES]}


def print_rows(rows: list[Row]) -> None:
    print(json.dumps(rows))
