"""The quality of one model on one song: BSS Eval v4 in frames of one second, by museval.

F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 Signal Separation Evaluation Campaign", 2018. A score of the vocals
depends on what they are scored among, so it is told: among "two" (vocals and accompaniment) or among "four" targets.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from study.measuring import measured
from study.separators import SOURCE, Separator
from study.tracks import FOUR, TWO, BadTracks, Track

METRICS = ("SDR", "SIR", "SAR", "ISR")
AMONG = {"two": TWO, "four": FOUR}
STEMS = {"two": "2", "four": "4"}  # of an engine


def score_track(track: Track, separator: Separator, among: str, seconds: float | None) -> list[dict]:
    """Separate a song and score the estimates: a row for each target and frame. Raises BadTracks, CommandFailed."""
    references, rate = track.stems(seconds)
    estimates = _separated(references["mixture"], rate, separator, among, track)
    rows = score(references, estimates, AMONG[among], rate)
    return [{"song": track.name, "model": separator.name, "among": among} | row for row in rows]


def score(
    references: Mapping[str, np.ndarray], estimates: Mapping[str, np.ndarray], targets: Sequence[str], rate: int
) -> list[dict]:
    """A row {target, frame, SDR, SIR, SAR, ISR in dB} for each target and second.

    All sounds are (nb_samples, nb_channels). As in museval a frame in which a reference or an estimate is silent has
    NaN, and counts for nothing.
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


def as_museval(song: str, rows: Sequence[dict]) -> str:
    """The rows of one song as museval's own JSON, for other tools."""
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
    """The estimates, as whole commands make them of the mixture. Raises BadTracks for a length or rate that differs."""
    with tempfile.TemporaryDirectory() as scratch:
        source, outdir = Path(scratch, SOURCE), Path(scratch, "out")
        soundfile.write(source, mixture, rate, "FLOAT")
        measured(separator.command(source, outdir, STEMS[among]))
        estimates = {}
        for target, path in separator.estimates(outdir, STEMS[among]).items():
            estimate, estimate_rate = soundfile.read(path, dtype="float32", always_2d=True)
            if estimate_rate != rate or estimate.shape != mixture.shape:
                raise BadTracks(f"{separator.name} gives {track.name} another length, sample rate or channels.")
            estimates[target] = estimate
        return estimates
