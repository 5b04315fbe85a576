"""An engine: a command that separates songs, as an entry of engines.toml describes it (see docs/engines.md)."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from webapp.paths import ROOT
from webapp.translation import mark_for_translation

# What the log of a command that runs through a scheduler says before the engine itself says anything.
SCHEDULER_PROGRESS = {"waiting": re.compile("waiting for the scheduler"), "": re.compile("launched on ")}
PLACEHOLDER = re.compile(r"\{(python|source|model|outdir)\}")


@dataclass(frozen=True)
class Variant:
    """One variant of a command that makes the stems: its arguments, and the targets that a model must have for it."""

    arguments: Sequence[str] = ()
    targets: Sequence[str] = ()  # empty where the engine does not list its models itself


@dataclass(frozen=True)
class Stems:
    """A choice of stems. `files` maps the stems' names on the page to their files below the job's outdir.

    `alternative` is for models that lack some of the `targets`. It writes the same files.
    """

    files: Mapping[str, str]
    arguments: Sequence[str] = ()
    targets: Sequence[str] = ()
    alternative: Variant | None = None

    def variant_for(self, targets: Collection[str]) -> Variant | None:
        """The first variant that needs no other targets than these; None if there is none."""
        variants = [Variant(self.arguments, self.targets), *([self.alternative] if self.alternative else [])]
        return next((variant for variant in variants if set(variant.targets) <= set(targets)), None)


@dataclass(frozen=True)
class Facts:
    """What the options say of a model in a few words."""

    good_for: str = ""  # the music that it suits
    seconds: float = 0.0  # for two stems of a song of 4 minutes, on two processor cores; 0 where nobody has measured it
    megabytes: float = 0.0  # of its weights for two stems; 0 if not known
    figures: str = ""  # its quality in figures, a sentence without its full stop


NO_FACTS = Facts()


@dataclass(frozen=True)
class Model:
    """A model in the table, by its `name`; or, with a pattern `files`, one model for each file that matches it."""

    about: str
    licence: str
    facts: Facts = NO_FACTS
    name: str = ""
    files: str = ""
    argument: str = ""  # what {model} stands for, if not the name
    arguments: tuple[str, ...] = ()

    def names(self) -> list[str]:
        return [self.name] if self.name else sorted(path.stem for path in ROOT.glob(self.files))


@dataclass(frozen=True)
class Fallback:
    """The replacement of a model whose weights cannot be fetched.

    If a separation with one of `models` into one of `stems` exits with `status`, it is repeated with the first model of
    `to` that is on the disk, into the first of `stems`. The models in `to` are in order of quality, the best first.
    """

    status: int
    models: Sequence[str]
    stems: Sequence[str]
    to: Sequence[str]

    def after(self, model: str) -> Sequence[str]:
        """The models that may replace `model`: those after it in `to`, or all of them if it is not in `to`."""
        return self.to[self.to.index(model) + 1 :] if model in self.to else self.to


@dataclass(frozen=True)
class Note:
    """A sentence for the visitor of a job in whose log `pattern` is found; its groups are the sentence's values."""

    pattern: re.Pattern[str]
    sentence: str


@dataclass(frozen=True)
class Progress:
    """The progress of a separation.

    `doing` is "waiting" (for the scheduler of `--run-with`), "fetching", "separating", "writing", or "" as long as the
    log does not say. `percent` is that of the
    separation, `megabytes` the size of the model that is fetched.
    """

    doing: str = ""
    percent: float = 0.0
    megabytes: str = ""


NOTHING_YET = Progress()


@dataclass(frozen=True)
class Engine:
    """One entry of the table; docs/engines.md describes its keys."""

    name: str
    title: str
    command: tuple[str, ...]
    programs: tuple[str, ...]
    install: str
    stems: Mapping[str, Stems]
    progress: Mapping[str, re.Pattern[str]]
    modules: tuple[str, ...] = ()
    run_with: tuple[str, ...] = ()  # the command prefix of this engine; if there is none, that of `--run-with` counts
    warm: tuple[str, ...] = ()  # arguments that keep the model loaded for the next song; the study leaves them out
    listing: tuple[str, ...] = ()  # the command that lists its models
    listed_files: tuple[str, ...] = ()  # patterns of the files that the list depends on, below the project's folder
    check: tuple[str, ...] = ()  # arguments by which the listing also says whether missing models can be fetched
    fetching: tuple[str, ...] = ()  # the command that fetches a model ahead of time
    stopping: tuple[str, ...] = ()  # the command that ends the processes which wait for a song, and returns at once
    warming: tuple[str, ...] = ()  # the command that loads a model ahead of a song, and returns at once
    parts: Mapping[str, str] = field(
        default_factory=dict
    )  # a model that is never fetched itself → the one that must be fetched for it
    facts: Mapping[str, Facts] = field(default_factory=dict)  # a listed model → what the options say of it
    models: tuple[Model, ...] = ()
    fallback: Fallback | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)
    unfetched: re.Pattern[str] | None = None  # found in the log if the weights could not be fetched
    notes: Sequence[Note] = ()

    def arguments(self, source: Path, model: str, outdir: Path, stems: str, targets: Sequence[str] = ()) -> list[str]:
        """The argument list that separates `source` into `outdir`.

        `targets` are those that the model has; if they are not known, it has all that the stems need.
        """
        entry = self._entry(model)
        values = {"source": source, "model": entry.argument or model, "outdir": outdir}
        parts = (*self.command, *self._stems_arguments(stems, targets), *entry.arguments)
        program, *arguments = [fill_placeholders(part, **values) for part in parts]
        return [_find_program(program) or program, *arguments]

    def warming_arguments(self, model: str, stems: str, targets: Sequence[str] = ()) -> list[str]:
        """The argument list that loads `model` for these stems; empty if the engine has no such command."""
        if not self.warming:
            return []
        return [
            fill_placeholders(part, model=model)
            for part in (*self.warming, *self._stems_arguments(stems, targets), *self.warm)
        ]

    def install_command(self) -> str:
        """The command line that installs the engine, for people to copy."""
        return fill_placeholders(self.install, python=shlex.quote(_displayed_python()))

    def stopping_arguments(self) -> list[str]:
        """The argument list that ends processes with a loaded model; empty if the engine has no such command."""
        return [fill_placeholders(part) for part in self.stopping]

    def fetch_command(self, model: str) -> str:
        """The command line that fetches `model`, or the model it needs, for people to copy; empty if there is none."""
        wanted, python = self.parts.get(model, model), _displayed_python()
        return shlex.join(fill_placeholders(part, model=wanted, python=python) for part in self.fetching)

    def files(self, model: str, stems: str) -> dict[str, str]:
        """The stems' names on the page → their files below the job's outdir."""
        model = self._entry(model).argument or model
        return {name: fill_placeholders(path, model=model) for name, path in self.stems[stems].files.items()}

    def parse_progress(self, log: str) -> Progress:
        """The progress of a separation, from the end of its log: the match that ends last counts."""
        patterns = SCHEDULER_PROGRESS | dict(self.progress)
        matches = [(doing, match) for doing, pattern in patterns.items() for match in pattern.finditer(log)]
        if not matches:
            return NOTHING_YET
        doing, match = sorted(matches, key=lambda found: found[1].end())[-1]
        values = match.groupdict()
        percent = 0.0 if doing == "fetching" else float(values.get("percent", 0))
        return Progress(doing, percent, values.get("megabytes") or "")

    def lacks_weights(self, status: int, log: str) -> bool:
        """Whether a separation has failed because the model's weights could not be fetched."""
        is_known_status = self.fallback is not None and status == self.fallback.status
        return is_known_status or bool(self.unfetched and self.unfetched.search(log))

    def failure_reason(self, status: int, log: str = "") -> str:
        """Why a separation that exited with `status` has failed: one sentence for the visitor, not translated yet."""
        if self.lacks_weights(status, log):
            return mark_for_translation(
                "The model's weights could not be fetched, or are damaged. Connect this machine to the internet and"
                " separate again, or choose another model."
            )
        if status < 0:
            return mark_for_translation(
                "The operating system stopped the separation, perhaps because there was not enough memory."
            )
        return self.statuses.get(
            str(status), mark_for_translation("The separation failed. The server's log has the reason.")
        )

    def remarks(self, log: str) -> dict[str, dict[str, str]]:
        """What the visitor should know of the stems, as a separation's log says: sentences and their values."""
        found = ((note.sentence, note.pattern.search(log)) for note in self.notes)
        return {sentence: match.groupdict() for sentence, match in found if match}

    def falls_back(self, model: str, stems: str) -> bool:
        """Whether another model replaces `model` if its weights cannot be fetched."""
        return self.fallback is not None and model in self.fallback.models and stems in self.fallback.stems

    def is_installed(self) -> bool:
        return all(map(_find_program, self.programs)) and all(map(find_spec, self.modules))

    def _stems_arguments(self, stems: str, targets: Sequence[str]) -> Sequence[str]:
        entry = self.stems[stems]
        return (entry.variant_for(targets) or entry).arguments

    def _entry(self, model: str) -> Model:
        return next((entry for entry in self.models if model in entry.names()), Model(about="", licence=""))


def fill_placeholders(part: str, **values: object) -> str:
    """A part of a command or a path, with its placeholders replaced. Raises KeyError if a value is missing."""
    values = {"python": sys.executable, **values}
    return PLACEHOLDER.sub(lambda found: str(values[found[1]]), part)


def _displayed_python() -> str:
    """The Python that runs this, as a path in the project's folder; only its name if it is elsewhere.

    Visitors see this, and they must not learn where folders of this machine are.
    """
    python = Path(sys.executable)
    return str(python.relative_to(ROOT)) if python.is_relative_to(ROOT) else python.name


def _find_program(name: str) -> str | None:
    """The path of a program, which is beside the Python that runs this or in the PATH."""
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
