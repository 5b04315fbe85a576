"""The models that the study measures: those of the application's table of engines, run as whole commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webapp import engines
from webapp.engine import Engine

SOURCE = "song.wav"  # as the table's engines expect it
FORMAT = "wav"
TARGETS = {"music": "accompaniment"}  # a stem's name on the page → museval's, where they differ


@dataclass(frozen=True)
class Separator:
    """A model with the command that runs it; `stems` are "2" (vocals, accompaniment) or "4"."""

    name: str
    engine: Engine
    stems: tuple[str, ...]

    def command(self, source: Path, outdir: Path, stems: str) -> list[str]:
        """The command that separates `source`, a file called SOURCE, into `outdir`."""
        return self.engine.arguments(source, self.name, outdir, stems, FORMAT)

    def estimates(self, outdir: Path, stems: str) -> dict[str, Path]:
        """The files that the command writes, by museval's names of the targets."""
        files = self.engine.files(self.name, stems, FORMAT)
        return {TARGETS.get(name, name): outdir / path for name, path in files.items()}


def find_separators(names: Sequence[str]) -> tuple[list[Separator], dict[str, str]]:
    """The models `names` that can be run here, and why the others cannot, a sentence each."""
    choices = {choice.name: choice for choice in engines.choices()}
    found, absent = [], {}
    for name in names:
        choice = choices.get(name)
        if choice is None:
            absent[name] = f"There is no such model; there are: {', '.join(choices)}."
        elif choice.install:
            absent[name] = f"{choice.title} is not installed: {choice.install}."
        else:
            found.append(Separator(name, engines.get(choice.engine), choice.stems))
    return found, absent
