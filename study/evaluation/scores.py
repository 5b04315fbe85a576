"""Score one model on one song with museval: BSS Eval v4 in frames of one second.

F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 Signal Separation Evaluation Campaign", 2018. The score of
the vocals depends on the set of targets, which is therefore recorded: "two" (vocals and accompaniment) or "four".
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from study.benchmarks.measurement import run_measured
from study.evaluation.separators import SOURCE, Separator
from study.evaluation.tracks import FOUR, TWO, BadTracks, Track

METRICS = ("SDR", "SIR", "SAR", "ISR")
AMONG = {"two": TWO, "four": FOUR}
STEMS = {"two": "2", "four": "4"}  # number of stems to request from an engine


def score_track(track: Track, separator: Separator, among: str, seconds: float | None) -> list[dict]:
    """Separate a song and return a row of scores for each target and frame. Raises BadTracks, CommandFailed."""
    references, rate = track.stems(seconds)
    estimates = _separated(references["mixture"], rate, separator, among, track)
    rows = score(references, estimates, AMONG[among], rate)
    return [{"song": track.name, "model": separator.name, "among": among} | row for row in rows]


def score(
    references: Mapping[str, np.ndarray], estimates: Mapping[str, np.ndarray], targets: Sequence[str], rate: int
) -> list[dict]:
    """Return a row {target, frame, SDR, SIR, SAR, ISR in dB} for each target and frame of one second.

    References and estimates are (nb_samples, nb_channels). As in museval, the scores of a frame with a silent reference
    or estimate are NaN; medians ignore them.
    """
    import museval

    sounds = ([each[target] for target in targets] for each in (references, estimates))
    sdr, isr, sir, sar = museval.evaluate(*sounds, win=rate, hop=rate)  # each (nb_targets, nb_frames)
    return [
        {"target": target, "frame": frame, "SDR": sdr[i, frame], "SIR": sir[i, frame], "SAR": sar[i, frame],
         "ISR": isr[i, frame]}
        for i, target in enumerate(targets)
        for frame in range(sdr.shape[1])
    ]  # fmt: skip


def to_museval_json(song: str, rows: Sequence[dict]) -> str:
    """Return the rows of one song in museval's JSON format, for other tools."""
    from museval.aggregate import TrackStore

    store = TrackStore(win=1.0, hop=1.0, track_name=song)
    for target in dict.fromkeys(row["target"] for row in rows):
        frames = [row for row in rows if row["target"] == target]
        store.add_target(target, {metric: [float(row[metric]) for row in frames] for metric in METRICS})
    store.validate()
    return store.json


def _separated(
    mixture: np.ndarray, rate: int, separator: Separator, among: str, track: Track
) -> dict[str, np.ndarray]:  # fmt: skip
    """Run the separation command on the mixture and read its estimates.

    Raises BadTracks if their length, sample rate or channels differ from the mixture's, and CommandFailed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, outdir = Path(scratch, SOURCE), Path(scratch, "out")
        soundfile.write(source, mixture, rate, "FLOAT")
        run_measured(separator.command(source, outdir, STEMS[among]))
        estimates = {}
        for target, path in separator.estimates(outdir, STEMS[among]).items():
            estimate, estimate_rate = soundfile.read(path, dtype="float32", always_2d=True)
            if estimate_rate != rate or estimate.shape != mixture.shape:
                raise BadTracks(
                    f"{separator.name} changes the length, the sample rate or the channels of {track.name}."
                )
            estimates[target] = estimate
        return estimates
