"""Time each model on your own audio files, as a whole command, as in chapter 2 of the thesis.

Writes into --out: timing.csv (sample × model: user, system and wall seconds), samples.csv (bit rate, length, size), and
all runs as timing.json; `report` draws the charts. The time to start and load a model is measured separately, with one
second of silence. The exit status is 3 if some models could not be run; their names are printed.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from study.benchmarks.measurement import CommandFailed, Run, run_measured
from study.evaluation import results
from study.evaluation.separators import SOURCE, Separator, find_separators

LOADING = "loading"  # name of the second of silence in the results
SKIPPED = 3
STEMS = "2"  # vocals and music, as the thesis timed it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="audio files")
    parser.add_argument(
        "--models",
        nargs="+",
        default=["umx", "umxl", "umxhq", "starter"],
        help="models to time (default: those of the thesis)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="measured runs of each model, after one warm-up run (3)")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="folder for the tables (%(default)s)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Time all models on all files."""
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
    """Return the row of samples.csv: bit rate in kb/s, length in seconds, size in bytes. Raises BadResults."""
    import soundfile

    try:
        seconds = soundfile.info(path).duration
    except (OSError, soundfile.SoundFileError):
        raise results.BadResults(f"{path.name} cannot be read as audio.") from None
    if not seconds:
        raise results.BadResults(f"{path.name} contains no audio.")
    size = path.stat().st_size
    return {"sample": path.stem, "bit_rate": round(size * 8 / seconds / 1000), "seconds": seconds, "bytes": size,
            "path": path.resolve()}  # fmt: skip


def _time(separator: Separator, samples: Sequence[dict], repeats: int) -> list[dict]:
    """Time a model on one second of silence and on each sample, without the warm-up runs. Raises CommandFailed."""
    from tqdm import tqdm

    with tempfile.TemporaryDirectory() as scratch:
        sources = {LOADING: _silence(Path(scratch))} | {sample["sample"]: sample["path"] for sample in samples}
        rows = []
        for name, path in tqdm(sources.items(), desc=separator.name, unit="file"):
            source = _named(path, Path(scratch, name))
            taken = [run_measured(separator.command(source, Path(scratch, "out"), STEMS)) for _ in range(1 + repeats)]
            rows += [_row(name, separator.name, number, run) for number, run in enumerate(taken[1:], 1)]
    return rows


def _silence(folder: Path) -> Path:
    import numpy as np
    import soundfile

    path = folder / "silence.wav"
    soundfile.write(path, np.zeros((44100, 2)), 44100)
    return path


def _named(path: Path, folder: Path) -> Path:
    """Make the file available under the name that the engines expect."""
    import shutil

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
    """Return a row for each sample and model.

    It has the medians of user, system and wall seconds, the spread of the wall seconds (largest minus smallest), the
    seconds for loading, and the speed in seconds of audio per second, including loading.
    """
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
