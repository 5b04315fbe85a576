"""Recorded sound that Debian's packages bring, for made-up songs: people who speak, and music without a voice.

What is installed is used, and nothing needs to be; all of it is free, under the licences beside the packages.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

from study import effects
from study.effects import SAMPLE_RATE

SPEECH, MUSIC = "speech", "music"
SUFFIXES = (".flac", ".oga", ".ogg", ".opus", ".wav")
AUDIBLE = 1e-6  # of the highest power: where a voice's spectrum has fallen this far, its band ends
LOWEST_BAND = 4000.0  # Hz
FADE = 400  # samples
NOISE = 4.0  # times the power of the softest tenth of the frames is taken for noise


@dataclass(frozen=True)
class Source:
    """Sound in a package: each of the globs in a folder below /usr/share finds one or two speakers, or some music."""

    kind: str
    package: str
    licence: str
    folder: str
    globs: Sequence[str]


def _in_each(folders: str, files: str) -> Sequence[str]:
    return [f"{folder}/{files}" for folder in folders.split()]


# Left out: what is noisy, at 8 kHz, or a robot.
HEDGEHOGS = "British Classic Default Default_es Default_ru Default_uk HillBilly Mobster Pirate Singer Surfer"
LETTERS = "ar cs da de en_GB es fr he hu lt ml nb nds nl pt_BR ru tn uk"
POTATOES = "ca da de el en lt nn ro sl uk wa"
SOURCES = (
    Source(SPEECH, "fillets-ng-data-cs", "GPL 2", "games/fillets-ng/sound", ("*/cs/*-m-*", "*/cs/*-v-*")),
    Source(SPEECH, "fillets-ng-data-nl", "GPL 2", "games/fillets-ng/sound", ("*/nl/*-m-*", "*/nl/*-v-*")),
    Source(SPEECH, "hedgewars-data", "GFDL 1.3", "games/hedgewars/Data/Sounds/voices", _in_each(HEDGEHOGS, "*")),
    Source(SPEECH, "klettres-data", "GPL 2+", "klettres", _in_each(LETTERS, "*/*")),
    Source(SPEECH, "ktuberling-data", "GPL 2+", "ktuberling/sounds", _in_each(POTATOES, "*")),
    Source(MUSIC, "fretsonfire-songs-sectoid", "MIT", "games/fretsonfire/data/songs/sectoid", ("*/*",)),
    Source(MUSIC, "hyperrogue-music", "CC BY-SA 3.0", "hyperrogue/music", ("*",)),
    Source(MUSIC, "singularity-music", "CC BY-SA 3.0", "games/singularity/music", ("*",)),
    Source(MUSIC, "supertuxkart-data", "CC BY-SA 3.0", "games/supertuxkart/data/music", ("*",)),
    Source(MUSIC, "warzone2100-music", "GPL 2+, CC BY-SA 3.0", "games/warzone2100/music", ("**/*",)),
    Source(MUSIC, "wesnoth-1.16-music", "GPL 2+", "games/wesnoth/1.16/data/core/music", ("*",)),
    Source(MUSIC, "widelands-data", "GPL 2+, CC BY-SA 3.0", "games/widelands/data/music", ("*",)),
)


def speakers() -> list[str]:
    """The names of all who speak in what is installed."""
    return list(_installed(SPEECH))


def absent() -> list[str]:
    """The packages of which nothing is installed."""
    return sorted({source.package for source in SOURCES if not _found(source)})


def spoken(speaker: str, seconds: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """At least `seconds` of a speaker's recordings, one after another: (nb_samples,) at SAMPLE_RATE, and the frequency
    in Hz above which they hold nothing."""
    sounds, files = [], _installed(SPEECH)[speaker]
    while sum(map(len, sounds)) < seconds * SAMPLE_RATE:
        sounds.append(_trimmed(_cleaned(_read(files[rng.integers(len(files))]).mean(0)))[: int(seconds * SAMPLE_RATE)])
    speech = np.concatenate(sounds)
    hertz, power = signal.welch(speech, SAMPLE_RATE, nperseg=2048)
    return speech, max(LOWEST_BAND, float(hertz[power > AUDIBLE * power.max()][-1]))


def music(seconds: float, rng: np.random.Generator) -> np.ndarray | None:
    """A stretch (2, nb_samples) float32 of some music, repeated if it is too short; None where none is installed."""
    collections = list(_installed(MUSIC).values())
    if not collections:
        return None
    files = collections[rng.integers(len(collections))]
    sound, nb_samples = _read(files[rng.integers(len(files))], seconds, rng.random()), int(seconds * SAMPLE_RATE)
    return np.pad(sound, ((0, 0), (0, max(0, nb_samples - sound.shape[1]))), "wrap")[:, :nb_samples]


@cache
def _installed(kind: str) -> dict[str, list[Path]]:
    """The files that each glob of the sources of a kind finds."""
    return {place: files for source in SOURCES if source.kind == kind for place, files in _found(source).items()}


def _found(source: Source) -> dict[str, list[Path]]:
    folder = Path(os.environ.get("RECORDINGS", "/usr/share"), source.folder)
    found = {
        f"{source.folder}/{glob}": sorted(path for path in folder.glob(glob) if path.suffix in SUFFIXES)
        for glob in source.globs
    }
    return {place: files for place, files in found.items() if files}


def _read(path: Path, seconds: float | None = None, place: float = 0.0) -> np.ndarray:
    """A recording in stereo, (2, nb_samples) float32; or `seconds` of it, from its start (`place` 0) to its end (1)."""
    with soundfile.SoundFile(path) as file:
        nb_frames = file.frames if seconds is None else min(file.frames, int(seconds * file.samplerate) + 1)
        file.seek(int(place * (file.frames - nb_frames)))
        sound = soxr.resample(file.read(nb_frames, "float32", always_2d=True), file.samplerate, SAMPLE_RATE)
    return np.broadcast_to(sound.T[:2], (2, len(sound))).copy()


def _cleaned(sound: np.ndarray) -> np.ndarray:
    """The sound (nb_samples,) without the noise that its softest frames hold (spectral subtraction, S. Boll, 1979)."""
    _, _, frames = signal.stft(sound, SAMPLE_RATE, nperseg=1024)
    power = np.abs(frames) ** 2
    noise = NOISE * np.percentile(power, 10, axis=-1, keepdims=True)
    _, clean = signal.istft(frames * np.sqrt(np.clip(1 - noise / (power + 1e-12), 0, 1)), SAMPLE_RATE)
    return clean[: len(sound)].astype(np.float32)


def _trimmed(sound: np.ndarray) -> np.ndarray:
    """The sound (nb_samples,) as loud as all others, faded at its ends and without silence there."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max(initial=0))
    if len(loud) < 2 * FADE:
        return sound[:0]
    kept = effects.scale_to(sound[None, loud[0] : loud[-1]], -20)[0]
    time = np.arange(len(kept))
    return kept * np.minimum(1, np.minimum(time, time[::-1]) / FADE).astype(np.float32)
