"""Drum hits, drum loops and bass notes from the sound files of Debian packages.

All packages are optional and free; their licences are listed next to them.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from study.synthesis import effects
from study.synthesis.effects import SAMPLE_RATE

SUFFIXES = (".aiff", ".flac", ".ogg", ".wav")
DAMAGED = ("kick04.ogg",)  # of lmms-common: its header is malformed
LONGEST = 4.0  # seconds; longer hits are cut
FADE = 441  # samples, at the end of a hit that was cut
LAYERS = 3  # consecutive files that one drum alternates between; in most kits these are velocity layers


@dataclass(frozen=True)
class Source:
    """Sound files of a package. Each folder below /usr/share that matches `glob` is a collection, such as a kit."""

    package: str
    licence: str
    glob: str


HITS = (
    Source("hydrogen-drumkits", "GPL 2, CC BY-SA 3.0, CC BY 3.0, CC0", "hydrogen/data/drumkits/*"),
    Source("lmms-common", "GPL 2+", "lmms/samples/drums"),
    Source("lmms-common", "GPL 2+", "lmms/samples/latin"),
    Source("sonic-pi-samples", "CC0, MIT", "sonic-pi/samples"),
)
LOOPS = (
    Source("lmms-common", "GPL 2+", "lmms/samples/beats"),
    Source("sonic-pi-samples", "CC0, MIT", "sonic-pi/samples"),
)
BASSES = (
    Source("lmms-common", "GPL 2+", "lmms/samples/basses"),
    Source("sonic-pi-samples", "CC0, MIT", "sonic-pi/samples"),
)
LOOP_NAMES = re.compile(
    r"^(909beat|break\d|electro_beat|house_loop|jungle|rave_(hihat|kick|snare)"
    r"|loop_(amen|breakbeat|compus|electric|garzul|industrial|mehackit|mika|perc|safari|tabla))"
)
BASS_NAMES = re.compile(r"^(bass\d|bass_|rave_bass|synth_acid|techno_synth)")
# The kind of drum of a file is the first whose pattern matches its name.
DRUMS = {
    "clap": re.compile(r"clap|snap"),
    "side": re.compile(r"side_?stick|(^|[_-])rim|stick[_-]|rimshot\d?$|^rim"),
    "open": re.compile(r"hat.*(op|semi)|^hh_?o|openhat|ohh|^ho_"),
    "hat": re.compile(r"hat|^hh|^chh|_chh|powr_hh|cymbal_(closed|pedal)"),
    "snare": re.compile(r"snare|^sn\d?_|^sd_|_sn_|^rs_|^sr_"),
    "kick": re.compile(r"kick|bass ?drum|(^|_)bd_|drum_bass|hse_k_|^bd\d"),
    "crash": re.compile(r"crash|splash|china|cymbal|^cc_|^cra_"),
    "ride": re.compile(r"ride|^rd\d?_|^rc_|bell"),
    "tom": re.compile(r"tom|^tm\d?_|^t[12]_|^ft_|ee_drum|vp drum"),
    "percussion": re.compile(
        r"conga|bongo|shak|tamb|cowbell|clave|maraca|djembe|agogo|cajon|tabla|perc_|wood|timbale|guiro|triangle|^cb\d?_"
    ),
}


def draw_hits(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Draw a kit: one to three hits for each kind of drum, (2, nb_samples) float32 with a peak of 1.

    Half of the kits come from one collection, supplemented from others; in the rest, each drum comes from any
    collection. Returns an empty dictionary if no package is installed.
    """
    collections = _collections()
    if not collections:
        return {}
    names = sorted(collections)
    home = names[rng.integers(len(names))] if rng.random() < 0.5 else None
    kit = {}
    for kind in DRUMS:
        owners = [name for name in names if collections[name].get(kind)]
        if not owners:
            continue
        owner = home if home in owners else owners[rng.integers(len(owners))]
        files = collections[owner][kind]
        first = int(rng.integers(len(files)))
        speed = np.exp(rng.normal(0, 0.12))
        kit[kind] = [_hit(path, speed) for path in files[first : first + LAYERS]]
    return kit


def draw_loop(rng: np.random.Generator, beat: float) -> np.ndarray | None:
    """Draw a drum loop, (2, nb_samples) float32, resampled to last 1, 2, 4, 8 ... beats of `beat` seconds.

    Returns None if no package is installed.
    """
    files = _named(LOOPS, LOOP_NAMES)
    if not files:
        return None
    sound = _read(files[rng.integers(len(files))])
    seconds = sound.shape[1] / SAMPLE_RATE
    wanted = beat * 2 ** max(0, round(np.log2(seconds / beat)))
    return _played_at(sound, seconds / wanted)


def draw_bass(rng: np.random.Generator) -> np.ndarray | None:
    """Draw a bass note near C, (2, nb_samples) float32 with a peak of 1. Returns None if no package is installed."""
    files = _named(BASSES, BASS_NAMES)
    return _hit(files[rng.integers(len(files))], 1.0) if files else None


def absent() -> list[str]:
    """Return the packages that are not installed."""
    sources = HITS + LOOPS + BASSES
    return sorted({source.package for source in sources if not any(_files(source))})


@cache
def _collections() -> dict[str, dict[str, list[Path]]]:
    """Return the files of each kind of drum in each collection."""
    collections: dict[str, dict[str, list[Path]]] = {}
    for source in HITS:
        for path in _files(source):
            if (kind := kind_of(path)) and not LOOP_NAMES.match(path.name):
                collections.setdefault(str(path.parent), {}).setdefault(kind, []).append(path)
    return collections


def kind_of(path: Path) -> str | None:
    """Return the kind of drum according to the file's name, or None."""
    name = path.stem.lower()
    return next((kind for kind, pattern in DRUMS.items() if pattern.search(name)), None)


@cache
def _named(sources: tuple[Source, ...], pattern: re.Pattern) -> list[Path]:
    return [path for source in sources for path in _files(source) if pattern.match(path.name)]


def _files(source: Source) -> Sequence[Path]:
    root = Path(os.environ.get("RECORDINGS", "/usr/share"))
    return sorted(
        path for path in root.glob(f"{source.glob}/*") if path.suffix in SUFFIXES and path.name not in DAMAGED
    )


def _hit(path: Path, speed: float) -> np.ndarray:
    """Read a hit, play it at `speed`, remove the silence around it, and scale its peak to 1."""
    sound = _played_at(_read(path)[:, : int(LONGEST * SAMPLE_RATE)], speed)
    loudest = np.abs(sound).max(initial=1e-6)
    loud = np.flatnonzero(np.abs(sound).max(0) > 0.01 * loudest)
    if not len(loud):
        return sound
    kept = sound[:, max(0, loud[0] - 20) : loud[-1] + 1] / loudest
    fade = min(FADE, kept.shape[1])
    kept[:, kept.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept


def _played_at(sound: np.ndarray, speed: float) -> np.ndarray:
    """Resample a sound, so that pitch and tempo change together."""
    return soxr.resample(sound.T, SAMPLE_RATE * speed, SAMPLE_RATE).T.astype(np.float32)


@cache
def _read(path: Path) -> np.ndarray:
    """Read a file in stereo at SAMPLE_RATE, (2, nb_samples) float32; mono is copied to both channels."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    resampled = soxr.resample(sound[:, :2], rate, SAMPLE_RATE).T.astype(np.float32)
    return effects.widened(np.broadcast_to(resampled, (2, resampled.shape[1])), 1.0)
