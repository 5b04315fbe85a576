"""Evaluate models with museval on songs with known stems: SDR, SIR, SAR and ISR for each second.

Writes into --out: quality.csv and quality.parquet (a row for each song, model, target and second), quality.json (the
settings), and museval/<model>/<two|four>/<song>.json in museval's format. An interrupted run resumes where it stopped.
Vocals are scored twice, among "two" targets (vocals and accompaniment) and among "four", because their SDR depends on
the set of targets. The exit status is 3 if some models could not be run; their names are printed.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.evaluation import results

if TYPE_CHECKING:
    from study.evaluation.separators import Separator
    from study.evaluation.tracks import Track

SKIPPED = 3
COLUMNS = ("song", "model", "among", "target", "frame", "SDR", "SIR", "SAR", "ISR")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root", type=Path, required=True, metavar="DIR", help="MUSDB18, or a folder of <track>/<stem>.wav")
    add(
        "--models",
        nargs="+",
        default=["umx", "umxl", "umxhq", "starter"],
        help="models to evaluate (default: those of the thesis)",
    )
    add("--targets", nargs="+", default=["vocals", "drums", "bass", "other"],
        choices=["vocals", "drums", "bass", "other"],
        help="vocals alone are scored among two targets (default: all)")  # fmt: skip
    add("--tracks", type=int, default=50, help="maximum number of songs (%(default)s)")
    add(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="length of the excerpt from the middle of each song (default: whole songs)",
    )
    add(
        "--nb-workers",
        type=int,
        default=1,
        help="songs scored in parallel; each takes about 1.5 GB per minute of audio (1)",
    )
    add("--out", type=Path, default=Path("results"), metavar="DIR", help="folder for the tables (%(default)s)")


@dataclass(frozen=True)
class Task:
    """Score one model on one song."""

    track: "Track"
    separator: "Separator"
    among: str
    seconds: float | None
    out: Path

    @property
    def path(self) -> Path:
        """The file in museval's JSON format. The rows in full precision are next to it, see `rows_path`."""
        folder = self.out / "museval" / self.separator.name / self.among
        return folder / f"{self.track.name}.json"

    @property
    def rows_path(self) -> Path:
        return self.path.with_suffix(".csv")


def main(arguments: argparse.Namespace) -> int:
    """Score all models on all songs."""
    import museval  # noqa: F401 # fail at once if it is missing

    from study.evaluation.separators import find_separators
    from study.evaluation.tracks import BadTracks, find_tracks

    try:
        tracks = find_tracks(arguments.root, arguments.tracks)
        separators, absent = find_separators(arguments.models)
        _begin(arguments)
        tasks = list(_tasks(tracks, separators, arguments))
        absent |= _run([task for task in tasks if not task.rows_path.is_file()], arguments.nb_workers)
    except (BadTracks, results.BadResults) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _gather(arguments, tasks)
    for name, why in absent.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    return SKIPPED if absent else 0


def _begin(arguments: argparse.Namespace) -> None:
    """Save the settings. Raises BadResults if the folder holds results of other settings."""
    path = arguments.out / "quality.json"
    settings = {"root": arguments.root.name, "duration": arguments.duration}
    if path.is_file():
        before = results.load(path)
        if any(before.get(key) != value for key, value in settings.items()):
            raise results.BadResults(
                f"{arguments.out.name} holds results of {before['root']} with --duration {before['duration']}; "
                "please choose another --out."
            )
    else:
        arguments.out.mkdir(parents=True, exist_ok=True)
        results.save(path, results.stamped(**settings))


def _tasks(tracks: Sequence, separators: Sequence, arguments: argparse.Namespace) -> Iterator[Task]:
    """Yield a task for each song, model and set of targets that was requested and is available."""
    from study.evaluation.scores import STEMS

    wanted = ["two"] if "vocals" in arguments.targets else []
    wanted += ["four"] if set(arguments.targets) - {"vocals"} else []
    for track in tracks:
        for separator in separators:
            for among in wanted:
                if STEMS[among] in separator.stems and (among == "two" or track.has_four):
                    yield Task(track, separator, among, arguments.duration, arguments.out)


def _run(tasks: Sequence[Task], nb_workers: int) -> dict[str, str]:
    """Run the tasks. Returns the models that failed, with the reason. Raises BadTracks."""
    from tqdm import tqdm

    from study.benchmarks.measurement import CommandFailed

    failed = {}
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // nb_workers)))
    with ProcessPoolExecutor(nb_workers) as pool:
        waiting = {pool.submit(_do, task): task for task in tasks}
        try:
            for done in tqdm(as_completed(waiting), desc="scoring", total=len(waiting), unit="song"):
                try:
                    done.result()
                except CommandFailed as error:
                    failed[waiting[done].separator.name] = error.sentence
        finally:
            pool.shutdown(cancel_futures=True)
    return failed


def _do(task: Task) -> None:
    """Score one song. The rows are written last, because their file marks the song as done."""
    from study.evaluation.scores import score_track, to_museval_json

    rows = score_track(task.track, task.separator, task.among, task.seconds)
    task.path.parent.mkdir(parents=True, exist_ok=True)
    task.path.write_text(to_museval_json(task.track.name, rows), "utf-8")
    part = task.rows_path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(task.rows_path)


def _gather(arguments: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """Put all songs' rows into one table, of the wanted targets."""
    import pandas as pd

    tables = [pd.read_csv(task.rows_path, dtype={"song": str}) for task in tasks if task.rows_path.is_file()]
    if not tables:
        return
    table = pd.concat(tables, ignore_index=True)
    table = table[table["target"].isin([*arguments.targets, "accompaniment"])]
    table.to_csv(arguments.out / "quality.csv", index=False)
    table.to_parquet(arguments.out / "quality.parquet", index=False)
