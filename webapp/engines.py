"""The table of engines: what separates, how it is started, and where its stems appear.

An engine is a command. Another framework is added by one more entry.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "umx"  # the thesis's choice
FALLBACK_MODEL = "starter"  # lies in the repository
MODELS = ("umx", "umxhq", "umxl", "starter")


@dataclass(frozen=True)
class Stem:
    """A stem that an engine writes: its name on the page, and its file below the job's folder of downloads."""

    name: str
    path: str


@dataclass(frozen=True)
class Engine:
    """A command that separates.

    `command` is an argument list with the placeholders {source}, {model} and {outdir}; `progress` finds the percent
    in what it writes on stderr; exit status `no_model` says that the model's weights are not to be had,
    and `sentences` what other statuses mean to a visitor.
    """

    name: str
    command: tuple[str, ...]
    stems: tuple[Stem, ...]
    progress: re.Pattern
    no_model: int
    sentences: dict[int, str]

    def arguments(self, source: Path, model: str, outdir: Path) -> list[str]:
        """The argument list that separates `source` with `model` into `outdir`."""
        return [part.format(source=source, model=model, outdir=outdir) for part in self.command]

    def percent(self, log: str) -> float:
        """How far the separation is, 0 to 100, from the end of its log."""
        found = self.progress.findall(log)
        return float(found[-1]) if found else 0.0

    def sentence(self, status: int) -> str:
        """What exit status `status` means, for a visitor."""
        if status < 0:
            return "The separation was stopped by the system, perhaps for want of memory."
        return self.sentences.get(status, "The separation failed; the server's log says why.")


OPENUNMIX = Engine(
    name="openunmix",
    command=(
        *(sys.executable, "-m", "openunmix_models", "{source}", "--model", "{model}"),
        *("--targets", "vocals", "--residual", "residual", "--outdir", "{outdir}"),
        *("--keep-warm", "5"),  # minutes for which the next song need not wait for torch to load
    ),
    stems=(Stem("vocals", "song/vocals.wav"), Stem("music", "song/residual.wav")),
    progress=re.compile(r"separating: +(\d+)%"),
    no_model=3,
    sentences={
        2: "This sound cannot be separated: a sample in it is not a number, or the file cannot be read to its end.",
        3: "The model's weights could not be had.",
        4: "There is no room left on the disk for the separated files. Delete something, then separate again.",
    },
)

ENGINES = {engine.name: engine for engine in (OPENUNMIX,)}
