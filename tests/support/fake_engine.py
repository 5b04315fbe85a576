"""Install the fake engine (fake_engine_program.py) in a copy of the project, configure it and read its log."""

import json
import shutil
from pathlib import Path

from tests.support import fake_models
from tests.support.waiting import wait_until

FOREVER = 1000.0  # seconds; a test ends it by configuring a shorter time


def install(home: Path) -> None:
    """Name the fake engine in `home`'s table of engines where the table names the command that separates.

    The commands that list and load models are fakes too: everything can be fetched, and no test loads torch.
    """
    shutil.copy(Path(__file__).with_name("fake_engine_program.py"), home / "openunmix_models" / "fake_engine.py")
    table = home / "webapp" / "engines" / "engines.toml"
    real, fake = '"openunmix_models", "{source}"', '"openunmix_models.fake_engine", "{source}"'
    assert real in table.read_text("utf-8")
    table.write_text(table.read_text("utf-8").replace(real, fake), "utf-8")
    fake_models.install(home)
    configure(home)


def configure(
    home: Path, seconds: float = 0.1, status: int = 0, says: str = "separating", ignores_sigterm: bool = False
) -> None:
    """Set how long a separation takes, its exit status and what it prints, for running separations too.

    Whether it ignores SIGTERM is decided when it starts.
    """
    new = home / "engine.json.new"
    settings = {"seconds": seconds, "status": status, "says": says, "ignores_sigterm": ignores_sigterm}
    new.write_text(json.dumps(settings))
    new.replace(home / "engine.json")


def finish_jobs(home: Path) -> None:
    """Make the engine fast again and wait until no job is queued or running, because the next test configures it."""
    configure(home)
    wait_until(lambda: not any(map(_is_busy, home.glob("uploads/*/state.json"))), message="a job does not finish")


def events(home: Path) -> list[tuple[str, str]]:
    """What the engine did so far: (job, "starts" | "overlaps" | "ends")."""
    log = home / "engine.log"
    return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []


def wait_until_started(home: Path, job: str) -> None:
    wait_until(lambda: (job, "starts") in events(home), message="the engine does not start")


def _is_busy(state: Path) -> bool:
    try:
        return json.loads(state.read_text("utf-8"))["state"] in ("queued", "running", "cancelled")
    except (OSError, ValueError):
        return False  # just deleted
