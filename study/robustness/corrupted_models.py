"""Run the separation command with model files that are truncated, corrupted, missing or replaced.

The command must print one sentence and exit with the status for a damaged model or a wrong argument (see
openunmix_models/errors.py), or separate correctly: the stems sum to the mixture, and if only the weights were
changed, they equal those of the intact model.

Usage, in a copy of the project: `python -m study.robustness.corrupted_models <files> <seed>`. Prints the rows as JSON.
"""

import contextlib
import io
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from openunmix_models.__main__ import main as separate
from study.robustness.model_corruptions import CORRUPTIONS, CORRUPTIONS_OF_SETTINGS
from study.robustness.random_model import write_random_model
from study.robustness.results import Row, print_rows, row

REFUSED = (2, 3)  # the exit statuses of InputError and WeightsError


def main() -> None:
    nb_files, seed = map(int, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        trial = _Trial(Path(folder))
        nb_trials = nb_files // len(CORRUPTIONS)
        print_rows([trial.row(name, nb_trials, random.Random(f"{seed} {name}")) for name in CORRUPTIONS])


class _Trial:
    """An intact model, a copy that is corrupted again and again, and a song."""

    def __init__(self, folder: Path):
        self.model, self.corrupted = write_random_model(folder / "intact"), folder / "corrupted"
        self.song, self.outdir, self.marker = folder / "song.wav", folder / "stems", folder / "code_was_run"
        soundfile.write(self.song, np.random.default_rng(0).normal(0, 0.1, (3000, 2)), 44100)
        self.stems = self._separate(self.model)[2]

    def row(self, name: str, nb_trials: int, rng: random.Random) -> Row:
        failures: list[str] = []
        for _ in range(nb_trials):
            shutil.rmtree(self.corrupted, ignore_errors=True)
            shutil.copytree(self.model, self.corrupted)
            description = CORRUPTIONS[name](self.corrupted, rng, self.marker)
            found = self._failures(is_weights_only=name not in CORRUPTIONS_OF_SETTINGS)
            failures += [f"{description}: {failure}" for failure in found]
        return row(name, nb_trials, failures)

    def _failures(self, is_weights_only: bool) -> Iterator[str]:
        try:
            status, stderr, stems = self._separate(self.corrupted)
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
            return
        if self.marker.exists():
            yield "code in the file was run"
        if status in REFUSED:
            is_sentence = stderr.count("\n") == 1 and stderr.startswith("error: ") and stderr.endswith(".\n")
            if not is_sentence or str(self.corrupted) in stderr:
                yield f"prints {stderr!r}"
        elif status or "\n" in stderr.strip() or "Traceback" in stderr:
            yield f"ends with status {status}: {stderr!r}"
        else:
            yield from self._stem_failures(stems, is_weights_only)

    def _stem_failures(self, stems: list[np.ndarray], is_weights_only: bool) -> Iterator[str]:
        pairs = zip(stems, self.stems, strict=True)
        if is_weights_only and any(stem.tobytes() != intact.tobytes() for stem, intact in pairs):
            yield "separates differently without an error"
        elif not (sum(stems) == soundfile.read(self.song, dtype="int16")[0]).all():
            yield "the stems do not add up to the song"

    def _separate(self, model: Path) -> tuple[int, str, list[np.ndarray]]:
        """Run the command in this process. Returns its status, its stderr without progress bars, and the stems."""
        shutil.rmtree(self.outdir, ignore_errors=True)
        options = ["--model", model, "--residual", "rest", "--targets", "vocals", "--outdir", self.outdir]
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            status = separate([str(argument) for argument in (self.song, *options)])
        stems = [soundfile.read(path, dtype="int16")[0] for path in sorted(self.outdir.rglob("*.wav"))]
        lines = [line for line in stderr.getvalue().splitlines(True) if "%|" not in line and line.strip()]
        return status, "".join(lines), stems


if __name__ == "__main__":
    main()
