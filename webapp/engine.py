"""An engine: a command that separates, as an entry of the table engines.toml describes it; see engines.md."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from webapp.folders import ROOT
from webapp.words import later

BLANK = re.compile(r"\{(python|source|model|outdir|format)\}")


@dataclass(frozen=True)
class Stems:
    """What an engine makes of a song: the stems' names on the page → their files below the job's outdir."""

    files: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()  # that a model must know for it, where the engine lists its models itself


@dataclass(frozen=True)
class Model:
    """A model of the table: by its `name`, or one for each of the `files` of a pattern."""

    about: str
    licence: str
    name: str = ""
    files: str = ""
    argument: str = ""  # what {model} stands for, if not the name
    arguments: tuple[str, ...] = ()

    def names(self) -> list[str]:
        return [self.name] if self.name else sorted(path.stem for path in ROOT.glob(self.files))


@dataclass(frozen=True)
class Fallback:
    """With exit status `status`, the `models` give way to the model `to`, for the stems that it can make."""

    status: int
    models: tuple[str, ...]
    stems: str
    to: str


@dataclass(frozen=True)
class Progress:
    """What a separation does now: "fetching", "separating", "writing", or "" before it says so.

    `percent` is of the separation. `megabytes` are those of the model that is fetched.
    """

    doing: str = ""
    percent: float = 0.0
    megabytes: str = ""


NOTHING_YET = Progress()


@dataclass(frozen=True)
class Engine:
    """One entry of the table."""

    name: str
    title: str
    command: tuple[str, ...]
    programs: tuple[str, ...]
    install: str
    formats: Mapping[str, tuple[str, ...]]
    stems: Mapping[str, Stems]
    progress: Mapping[str, re.Pattern]
    modules: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()  # arguments by which the next song is begun sooner; the study does not want them
    listing: tuple[str, ...] = ()  # the command that lists its models itself
    models: tuple[Model, ...] = ()
    fallback: Fallback | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, source: Path, model: str, outdir: Path, stems: str, format: str) -> list[str]:
        """The argument list that separates `source` into `outdir`."""
        entry = self._entry(model)
        blanks = {"source": source, "model": entry.argument or model, "outdir": outdir, "format": format}
        parts = (*self.command, *self.stems[stems].arguments, *self.formats[format], *entry.arguments)
        program, *arguments = [filled(part, **blanks) for part in parts]
        return [_program(program) or program, *arguments]

    def files(self, model: str, stems: str, format: str) -> dict[str, str]:
        """The stems' names on the page → their files below the job's outdir."""
        model = self._entry(model).argument or model
        return {name: filled(path, model=model, format=format) for name, path in self.stems[stems].files.items()}

    def look(self, log: str) -> Progress:
        """How far a separation is, from the end of its log."""
        found = [
            (match.end(), doing, match) for doing, pattern in self.progress.items() for match in pattern.finditer(log)
        ]
        if not found:
            return NOTHING_YET
        _, doing, match = sorted(found, key=lambda one: one[0])[-1]
        values = match.groupdict()
        percent = 0.0 if doing == "fetching" else float(values["percent"])
        return Progress(doing, percent, values.get("megabytes") or "")

    def sentence(self, status: int) -> str:
        """What exit status `status` means, for a visitor."""
        if status < 0:
            return later("The separation was stopped by the system, perhaps for want of memory.")
        return self.statuses.get(str(status), later("The separation failed; the server's log says why."))

    def falls_back(self, model: str, stems: str) -> bool:
        """Whether another model stands in for `model` when its weights are not to be had."""
        return self.fallback is not None and model in self.fallback.models and stems == self.fallback.stems

    def is_installed(self) -> bool:
        return all(map(_program, self.programs)) and all(map(find_spec, self.modules))

    def _entry(self, model: str) -> Model:
        return next((entry for entry in self.models if model in entry.names()), Model(about="", licence=""))


def filled(part: str, **blanks: object) -> str:
    """A part of a command or a path, with its placeholders filled in."""
    blanks["python"] = sys.executable
    return BLANK.sub(lambda blank: str(blanks[blank[1]]), part)


def _program(name: str) -> str | None:
    """Where a program lies: beside the Python that runs this, or where the system looks."""
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
