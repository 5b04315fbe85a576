"""Find the models to evaluate in the application's table of engines, and build their commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webapp.engines import choices, table
from webapp.engines.engine import Engine

SOURCE = "song.wav"  # file name that the engines expect
TARGETS = {"music": "accompaniment"}  # a stem's name on the page → museval's, where they differ


@dataclass(frozen=True)
class Separator:
    """A model and its engine. `stems` lists what it can output: "2" (vocals, accompaniment), "4"."""

    name: str
    engine: Engine
    stems: tuple[str, ...]
    targets: tuple[str, ...] = ()  # of the model, if its engine lists them

    def command(self, source: Path, outdir: Path, stems: str) -> list[str]:
        """Return the command that separates `source`, a file named SOURCE, into `outdir`."""
        return self.engine.arguments(source, self.name, outdir, stems, self.targets)

    def estimates(self, outdir: Path, stems: str) -> dict[str, Path]:
        """Return the files that the command writes, by museval's target names."""
        files = self.engine.files(self.name, stems)
        return {TARGETS.get(name, name): outdir / path for name, path in files.items()}


def find_separators(names: Sequence[str]) -> tuple[list[Separator], dict[str, str]]:
    """Return the models that can be run here, and for each other name a sentence with the reason."""
    known = {choice.name: choice for choice in choices.all_choices()}
    found, absent = [], {}
    for name in names:
        choice = known.get(name)
        if choice is None:
            absent[name] = f"There is no such model. Available models: {', '.join(known)}."
        elif choice.install:
            absent[name] = f"{choice.title} is not installed: {choice.install}."
        else:
            found.append(Separator(name, table.find_engine(choice.engine), choice.stems, choice.targets))
    return found, absent
