"""A folder of results: tables as CSV, and a JSON file for each that says how they came about."""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from study.measuring import machine

VERSION = 1


class BadResults(ValueError):
    """A folder of results that cannot be used; the message is a sentence for people."""


def stamped(**content: object) -> dict:
    """`content` with the version of the results' form, the date and the machine."""
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"version": VERSION, "date": date, "machine": machine()} | content


def save(path: Path, content: dict) -> None:
    """Write a JSON file atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    part.replace(path)


def load(path: Path) -> dict:
    """Read a JSON file that `save` wrote of `stamped` content. Raises BadResults."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise BadResults(f"{path.name} cannot be read.") from None
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise BadResults(f"{path.name} is of version {version}, and this program reads version {VERSION}.")
    return content


def save_table(path: Path, rows: Sequence[dict]) -> None:
    """Write rows of the same columns as CSV."""
    import pandas as pd

    pd.DataFrame(rows).to_csv(path, index=False)
