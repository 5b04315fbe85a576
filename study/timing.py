"""How long each model takes on your own files, as a whole command: the times of the thesis's chapter 2.

Writes into --out: timing.csv (sample × model: user, system and wall seconds), samples.csv (bit rate, length, size), and
both as timing.json; the charts are drawn by `report`. What a model takes to start and load is measured apart, as the
time for one second of silence. Exit status 3: some models could not be run, and are named.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from study import results
from study.measuring import CommandFailed, Run, measured

LOADING = "loading"  # what one second of silence is called in the results
SKIPPED = 3
STEMS = "2"  # vocals and music, as the thesis timed it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="audio files")
    parser.add_argument("--models", nargs="+", default=["umx", "umxl", "umxhq", "starter"], help="(the thesis's)")
    parser.add_argument("--repeats", type=int, default=3, help="counted runs of each, after one that is not (3)")
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="for the tables (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Time all models on all files."""
    from study.separators import find_separators

    try:
        samples = [_sample(path) for path in arguments.files]
    except results.BadResults as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    separators, absent = find_separators(arguments.models)
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = []
    for separator in separators:
        try:
            runs += _time(separator, samples, arguments.repeats)
        except CommandFailed as failed:
            absent[separator.name] = failed.sentence
    _save(arguments.out, samples, runs)
    for name, why in absent.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    return SKIPPED if absent else 0


def _sample(path: Path) -> dict:
    """The row of a file in the samples' table: bit rate in kb/s, length in seconds, its bytes. Raises BadResults."""
    import soundfile

    try:
        seconds = soundfile.info(path).duration
    except (OSError, soundfile.SoundFileError):
        raise results.BadResults(f"{path.name} cannot be read as audio.") from None
    if not seconds:
        raise results.BadResults(f"{path.name} holds no sound.")
    size = path.stat().st_size
    return {"sample": path.stem, "bit_rate": round(size * 8 / seconds / 1000), "seconds": seconds, "bytes": size,
            "path": path.resolve()}  # fmt: skip


def _time(separator, samples: Sequence[dict], repeats: int) -> list[dict]:
    """The counted runs of a model: on one second of silence, then on each sample. Raises CommandFailed."""
    from tqdm import tqdm

    with tempfile.TemporaryDirectory() as scratch:
        sources = {LOADING: _silence(Path(scratch))} | {sample["sample"]: sample["path"] for sample in samples}
        rows = []
        for name, path in tqdm(sources.items(), desc=separator.name, unit="file"):
            source = _named(path, Path(scratch, name))
            taken = [measured(separator.command(source, Path(scratch, "out"), STEMS)) for _ in range(1 + repeats)]
            rows += [_row(name, separator.name, number, run) for number, run in enumerate(taken[1:], 1)]
    return rows


def _silence(folder: Path) -> Path:
    import numpy as np
    import soundfile

    path = folder / "silence.wav"
    soundfile.write(path, np.zeros((44100, 2)), 44100)
    return path


def _named(path: Path, folder: Path) -> Path:
    """The file under the name that the engines' table expects."""
    import shutil

    from study.separators import SOURCE

    folder.mkdir()
    source = folder / SOURCE
    try:
        source.symlink_to(path)
    except OSError:  # Windows, without the right to
        shutil.copy(path, source)
    return source


def _row(sample: str, model: str, number: int, run: Run) -> dict:
    return {"sample": sample, "model": model, "run": number, "user": run.user, "system": run.system, "wall": run.wall,
            "peak": run.peak}  # fmt: skip


def _save(out: Path, samples: Sequence[dict], runs: Sequence[dict]) -> None:
    samples = [{key: value for key, value in sample.items() if key != "path"} for sample in samples]
    results.save_table(out / "samples.csv", samples)
    results.save_table(out / "timing.csv", summary(samples, runs))
    results.save(out / "timing.json", results.stamped(samples=samples, runs=list(runs)))


def summary(samples: Sequence[dict], runs: Sequence[dict]) -> list[dict]:
    """A row for each sample and model: medians of user, system and wall seconds, the spread of the last (largest minus
    smallest), the seconds that loading took, and the seconds of audio a second, loading and all."""
    lengths = {sample["sample"]: sample["seconds"] for sample in samples}
    rows = []
    for sample, model in dict.fromkeys((run["sample"], run["model"]) for run in runs):
        if sample == LOADING:
            continue
        medians = _medians(runs, sample, model)
        loading = _medians(runs, LOADING, model)["wall"]
        walls = [run["wall"] for run in runs if (run["sample"], run["model"]) == (sample, model)]
        rows.append(
            {"sample": sample, "model": model}
            | medians
            | {"spread": max(walls) - min(walls), "loading": loading}
            | {"speed": lengths[sample] / medians["wall"]}
        )
    return rows


def _medians(runs: Sequence[dict], sample: str, model: str) -> dict[str, float]:
    chosen = [run for run in runs if (run["sample"], run["model"]) == (sample, model)]
    return {key: statistics.median(run[key] for run in chosen) for key in ("user", "system", "wall")}
