"""The test's side of the engine double: put it in a copy of the project, give it orders, read what it did."""

import json
import shutil
import time
from pathlib import Path

LONG = 1000.0  # seconds; a test lets go of it by ordering less


def put_in(home: Path) -> None:
    """Let the table of engines in `home` name the double where it names the command that separates."""
    shutil.copy(Path(__file__).with_name("engine_double.py"), home / "openunmix_models" / "double.py")
    table = home / "webapp" / "engines.toml"
    real, double = '"openunmix_models", "{source}"', '"openunmix_models.double", "{source}"'
    assert real in table.read_text("utf-8")
    table.write_text(table.read_text("utf-8").replace(real, double), "utf-8")
    order(home)


def order(home: Path, seconds: float = 0.1, status: int = 0, says: str = "separating") -> None:
    beside = home / "engine.json.new"
    beside.write_text(json.dumps({"seconds": seconds, "status": status, "says": says}))
    beside.replace(home / "engine.json")


def let_go(home: Path, seconds: float = 30) -> None:
    """Be quick again, and wait until no job waits or runs, since the next test gives other orders."""
    order(home)
    deadline = time.monotonic() + seconds
    while any(_is_busy(state) for state in home.glob("uploads/*/state.json")):
        assert time.monotonic() < deadline, "a job does not come to its end"
        time.sleep(0.02)


def _is_busy(state: Path) -> bool:
    try:
        return json.loads(state.read_text("utf-8"))["state"] in ("queued", "running", "cancelled")
    except (OSError, ValueError):
        return False  # just gone


def deeds(home: Path) -> list[tuple[str, str]]:
    """What the engine did so far: (job, "starts" | "overlaps" | "ends")."""
    log = home / "engine.log"
    return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []


def wait_until_started(home: Path, job: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (job, "starts") not in deeds(home):
        assert time.monotonic() < deadline, "the engine does not start"
        time.sleep(0.02)
