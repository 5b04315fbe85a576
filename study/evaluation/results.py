"""Read and write results: tables as CSV, and for each a JSON file with settings, date and machine."""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from study.benchmarks.measurement import describe_machine

VERSION = 1


class BadResults(ValueError):
    """A folder of results cannot be used. The message is a sentence for the user."""


def stamped(**content: object) -> dict:
    """Return `content` with the format version, the date and the machine."""
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"version": VERSION, "date": date, "machine": describe_machine()} | content


def save(path: Path, content: dict) -> None:
    """Write a JSON file atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    part.replace(path)


def load(path: Path) -> dict:
    """Read a JSON file that `save` wrote from `stamped` content. Raises BadResults."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise BadResults(f"{path.name} cannot be read.") from None
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise BadResults(f"{path.name} has version {version}; this program reads version {VERSION}.")
    return content


def save_table(path: Path, rows: Sequence[dict]) -> None:
    """Write rows with the same columns as CSV."""
    import pandas as pd

    pd.DataFrame(rows).to_csv(path, index=False)
