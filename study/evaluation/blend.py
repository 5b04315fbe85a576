"""Find the best weights for a blend of models on songs with known stems, and write the blend as a model folder.

Without the Wiener filter, the estimate of a blend is the weighted mean of its models' estimates. Each model therefore
separates each song once, and all weights in steps of --step are compared by plain SDR: the energy of the reference over
the energy of the error, over the whole song, in dB. The best blend and each single model are also scored by museval.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from study.benchmarks.measurement import CommandFailed, run_measured

MOST_ROWS = 11
VOCALS, ACCOMPANIMENT = "vocals", "accompaniment"
MODELS = Path(__file__).resolve().parents[2] / "openunmix_models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root", type=Path, required=True, metavar="DIR", help="MUSDB18, or a folder of <track>/<stem>.wav")
    add("--models", nargs="+", default=["spleeter", "starter"], help="at least two models (%(default)s)")
    add("--tracks", type=int, default=50, help="maximum number of songs (%(default)s)")
    add(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="length of the excerpt from the middle of each song (default: whole songs)",
    )
    add("--step", type=float, default=0.1, help="step between the weights that are tried (%(default)s)")
    add("--no-museval", action="store_true", help="compute only plain SDR, which is much faster")
    add("--out", type=Path, metavar="DIR", help="write the blend to this folder, which --model accepts")


@dataclass(frozen=True)
class Song:
    """Mixture and true vocals of a song, and each model's estimate of the vocals, all (nb_samples, nb_channels)."""

    name: str
    rate: int
    mixture: np.ndarray
    vocals: np.ndarray
    estimates: Sequence[np.ndarray]

    @property
    def accompaniment(self) -> np.ndarray:
        return self.mixture - self.vocals

    def blend(self, weights: Sequence[float]) -> np.ndarray:
        """Return the vocals estimate of a blend with these weights."""
        weighted = (share * estimate for share, estimate in zip(weights, self.estimates, strict=True))
        return sum(weighted, np.zeros_like(self.mixture))


def main(arguments: argparse.Namespace) -> int:
    """Find the best weights, print the scores as a Markdown table, and write the model folder."""
    from study.evaluation.tracks import BadTracks, find_tracks

    if len(set(arguments.models)) < 2 or not 0 < arguments.step <= 1:
        print("error: a blend needs at least two different models and a step between 0 and 1.", file=sys.stderr)
        return 2
    try:
        songs = list(_songs(find_tracks(arguments.root, arguments.tracks), arguments))
    except (BadTracks, CommandFailed) as error:
        print(f"error: {getattr(error, 'sentence', error)}", file=sys.stderr)
        return 2
    trials = {weights: _mean_sdr(songs, weights) for weights in weight_grid(len(arguments.models), arguments.step)}
    best = max(trials, key=lambda weights: trials[weights])
    table = f"{_trials_table(arguments.models, trials)}\n\n{_table(songs, arguments, best)}"
    print(table)
    if arguments.out:
        _write(arguments, best, table, len(songs))
    return 0


def weight_grid(nb_models: int, step: float) -> Iterator[tuple[float, ...]]:
    """Yield all weights of `nb_models` models that are multiples of about `step` and sum to 1."""
    nb_steps = max(1, round(1 / step))

    def parts(nb: int, left: int) -> Iterator[tuple[int, ...]]:
        if nb == 1:
            yield (left,)
            return
        for part in range(left + 1):
            for rest in parts(nb - 1, left - part):
                yield (part, *rest)

    for counts in parts(nb_models, nb_steps):
        yield tuple(round(count / nb_steps, 6) for count in counts)


def sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Return the energy of `reference` over the energy of the error, in dB."""
    error = np.square(reference - estimate, dtype=np.float64).sum()
    return float(10 * np.log10(max(np.square(reference, dtype=np.float64).sum(), 1e-20) / max(error, 1e-20)))


def _mean_sdr(songs: Sequence[Song], weights: Sequence[float]) -> float:
    return statistics.fmean(sdr(song.vocals, song.blend(weights)) for song in songs)


def _songs(tracks: Sequence, arguments: argparse.Namespace) -> Iterator[Song]:
    """Yield each song with the estimates of all models. Songs without vocals are skipped, since their SDR is undefined.

    Raises BadTracks, CommandFailed.
    """
    from tqdm import tqdm

    from study.evaluation.tracks import BadTracks

    nb_songs = 0
    for track in tqdm(tracks, desc="separating", unit="song"):
        stems, rate = track.stems(arguments.duration)
        if not stems[VOCALS].any():
            print(f"skipped {track.name}: it has no vocals.", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch, "song.wav")
            soundfile.write(source, stems["mixture"], rate, "FLOAT")
            estimates = [_estimate(source, model) for model in arguments.models]
        nb_songs += 1
        yield Song(track.name, rate, stems["mixture"], stems[VOCALS], estimates)
    if not nb_songs:
        raise BadTracks(f"No song of {arguments.root.name} has vocals.")


def _estimate(source: Path, model: str) -> np.ndarray:
    outdir = source.parent / "out"
    options = ["--model", model, "--targets", VOCALS, "--niter", "0", "--outdir", outdir]
    run_measured([sys.executable, "-m", "openunmix_models", source, *options])
    return soundfile.read(outdir / "song" / f"{VOCALS}.wav", dtype="float32", always_2d=True)[0]


def _trials_table(models: Sequence[str], trials: Mapping[tuple[float, ...], float]) -> str:
    """Return a Markdown table of the best weights that were tried, at most MOST_ROWS."""
    best = sorted(trials, key=lambda weights: trials[weights], reverse=True)[:MOST_ROWS]
    rows = [f"| {' | '.join(f'{weight:g}' for weight in weights)} | {trials[weights]:.2f} |" for weights in best]
    return "\n".join([f"| {' | '.join(models)} | vocals, mean SDR |", "|---" * (len(models) + 1) + "|", *rows])


def _table(songs: Sequence[Song], arguments: argparse.Namespace, best: Sequence[float]) -> str:
    """Return a Markdown table of each single model and of the best blend: means over songs, and medians by museval."""
    nb_models = len(arguments.models)
    alone = {name: tuple(float(i == k) for k in range(nb_models)) for i, name in enumerate(arguments.models)}
    rows = alone | {blend_argument(arguments.models, best): tuple(best)}
    lines = [
        "| model | vocals, mean SDR | accompaniment, mean SDR | vocals, museval | accompaniment, museval |",
        "|---|---|---|---|---|",
    ]
    for name, weights in rows.items():
        vocals = _mean_sdr(songs, weights)
        music = statistics.fmean(sdr(song.accompaniment, song.mixture - song.blend(weights)) for song in songs)
        by_museval = ["", ""] if arguments.no_museval else _museval(songs, weights)
        lines.append(f"| {' | '.join([name, f'{vocals:.2f}', f'{music:.2f}', *by_museval])} |")
    return "\n".join(lines)


def _museval(songs: Sequence[Song], weights: Sequence[float]) -> list[str]:
    """Return the median over songs of the median over frames, for vocals and accompaniment."""
    from study.evaluation.scores import score

    targets = (VOCALS, ACCOMPANIMENT)
    medians: dict[str, list[float]] = {target: [] for target in targets}
    for song in songs:
        estimate = song.blend(weights)
        references = {VOCALS: song.vocals, ACCOMPANIMENT: song.accompaniment}
        rows = score(references, {VOCALS: estimate, ACCOMPANIMENT: song.mixture - estimate}, targets, song.rate)
        for target in targets:
            medians[target].append(float(np.nanmedian([row["SDR"] for row in rows if row["target"] == target])))
    return [f"{np.nanmedian(medians[target]):.2f}" for target in targets]


def blend_argument(models: Sequence[str], weights: Sequence[float]) -> str:
    """Return the blend as an argument of `--model`, without models of weight 0."""
    return "+".join(f"{name}:{share:g}" for name, share in zip(models, weights, strict=True) if share)


def _write(arguments: argparse.Namespace, weights: Sequence[float], table: str, nb_songs: int) -> None:
    """Write the model folder: separator.json and the model card, README.md."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    models = {_named(name): share for name, share in zip(arguments.models, weights, strict=True) if share}
    part = arguments.out / ".separator.json.part"
    part.write_text(json.dumps({"kind": "blend", "models": models}) + "\n", "utf-8")
    card = (
        f"# {arguments.out.resolve().name}\n\n**A blend of models: {blend_argument(arguments.models, weights)}.**\n\n"
        f"The weights were found by `python -m study blend` on {nb_songs} songs of `{arguments.root.name}`.\n"
        f"SDR in dB; by museval, the median over songs of the median over seconds.\n\n{table}\n"
    )
    (arguments.out / "README.md").write_text(card, "utf-8")
    part.replace(arguments.out / "separator.json")


def _named(model: str) -> str:
    """Return the name of an installed model, or the absolute path of another folder."""
    return model if (MODELS / model).is_dir() or not Path(model).is_dir() else str(Path(model).resolve())
