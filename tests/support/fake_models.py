"""Install the fake model commands (fake_models_program.py) in a copy of the project, and configure them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path


def install(home: Path) -> None:
    """Name the fake commands in `home`'s table of engines where the table names those that list and load models."""
    shutil.copy(Path(__file__).with_name("fake_models_program.py"), home / "openunmix_models" / "fake_models.py")
    table = home / "webapp" / "engines" / "engines.toml"
    text = table.read_text("utf-8")
    for command in ("list", "warm"):
        real = f'"openunmix_models", "{command}"'
        assert real in text
        text = text.replace(real, f'"openunmix_models.fake_models", "{command}"')
    table.write_text(text.replace("listed_files = [", 'listed_files = ["models.json", '), "utf-8")
    configure(home)


def configure(
    home: Path,
    on_disk: Sequence[str] = (),
    reachable: bool = True,
    check_seconds: float = 0.0,
    warm_seconds: float = 0.0,
) -> None:
    """Set which published models are on the disk, whether the others can be fetched, and how long commands take."""
    settings = {"on_disk": list(on_disk), "reachable": reachable}
    settings |= {"check_seconds": check_seconds, "warm_seconds": warm_seconds}
    new = home / "models.json.new"
    new.write_text(json.dumps(settings))
    new.replace(home / "models.json")


def warmed(home: Path) -> list[list[str]]:
    """The arguments of each command that loaded a model ahead of time."""
    log = home / "warm.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def nb_checks(home: Path) -> int:
    """How often it was checked whether models can be fetched."""
    log = home / "checks.log"
    return len(log.read_text().splitlines()) if log.exists() else 0
