"""Recorded speech and instrumental music from Debian packages, for synthesized songs.

All packages are optional and free; their licences are listed next to them.
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

from study.synthesis import effects
from study.synthesis.effects import SAMPLE_RATE

SPEECH, MUSIC, PITCHED = "speech", "music", "pitched"  # PITCHED: music without drums and bass
PITCHED_SHARE = 0.6  # of the drawn music
SUFFIXES = (".flac", ".oga", ".ogg", ".opus", ".wav")
AUDIBLE = 1e-6  # of the highest power; a voice's bandwidth ends where its spectrum falls below this
LOWEST_BAND = 4000.0  # Hz
FADE = 400  # samples
NOISE = 4.0  # times the power of the softest tenth of the frames is regarded as noise


@dataclass(frozen=True)
class Source:
    """Sound files of a package: each glob in a folder below /usr/share matches one or two speakers, or music."""

    kind: str
    package: str
    licence: str
    folder: str
    globs: Sequence[str]


def _in_each(folders: str, files: str) -> Sequence[str]:
    return [f"{folder}/{files}" for folder in folders.split()]


# Noisy voices, voices at 8 kHz and robots are left out.
HEDGEHOGS = "British Classic Default Default_es Default_ru Default_uk HillBilly Mobster Pirate Singer Surfer"
LETTERS = "ar cs da de en_GB es fr he hu lt ml nb nds nl pt_BR ru tn uk"
POTATOES = "ca da de el en lt nn ro sl uk wa"
# No drums and hardly any bass were found in these, neither by name nor by a trial network for drums and bass.
WESNOTH_WITHOUT_RHYTHM = ("elf-land*", "traveling_minstrels*", "defeat.*", "sad.*")
WIDELANDS_WITHOUT_RHYTHM = ("ingame_07*", "ingame_08*", "ingame_14*", "ingame_16*", "ingame_23*")
SOURCES = (
    Source(SPEECH, "fillets-ng-data-cs", "GPL 2", "games/fillets-ng/sound", ("*/cs/*-m-*", "*/cs/*-v-*")),
    Source(SPEECH, "fillets-ng-data-nl", "GPL 2", "games/fillets-ng/sound", ("*/nl/*-m-*", "*/nl/*-v-*")),
    Source(SPEECH, "hedgewars-data", "GFDL 1.3", "games/hedgewars/Data/Sounds/voices", _in_each(HEDGEHOGS, "*")),
    Source(SPEECH, "klettres-data", "GPL 2+", "klettres", _in_each(LETTERS, "*/*")),
    Source(SPEECH, "ktuberling-data", "GPL 2+", "ktuberling/sounds", _in_each(POTATOES, "*")),
    Source(MUSIC, "fretsonfire-songs-sectoid", "MIT", "games/fretsonfire/data/songs/sectoid", ("*/*",)),
    Source(PITCHED, "fretsonfire-songs-sectoid", "MIT", "games/fretsonfire/data/songs/sectoid", ("*/guitar.ogg",)),
    Source(
        PITCHED,
        "fretsonfire-songs-muldjord",
        "CC BY-SA 3.0",
        "games/fretsonfire/data/songs/muldjord",
        ("*/guitar.ogg",),
    ),
    Source(PITCHED, "wesnoth-1.16-music", "GPL 2+", "games/wesnoth/1.16/data/core/music", WESNOTH_WITHOUT_RHYTHM),
    Source(PITCHED, "widelands-data", "GPL 2+, CC BY-SA 3.0", "games/widelands/data/music", WIDELANDS_WITHOUT_RHYTHM),
    Source(MUSIC, "hyperrogue-music", "CC BY-SA 3.0", "hyperrogue/music", ("*",)),
    Source(MUSIC, "singularity-music", "CC BY-SA 3.0", "games/singularity/music", ("*",)),
    Source(MUSIC, "supertuxkart-data", "CC BY-SA 3.0", "games/supertuxkart/data/music", ("*",)),
    Source(MUSIC, "warzone2100-music", "GPL 2+, CC BY-SA 3.0", "games/warzone2100/music", ("**/*",)),
    Source(MUSIC, "wesnoth-1.16-music", "GPL 2+", "games/wesnoth/1.16/data/core/music", ("*",)),
    Source(MUSIC, "widelands-data", "GPL 2+, CC BY-SA 3.0", "games/widelands/data/music", ("*",)),
)


@dataclass(frozen=True)
class Recording:
    """An excerpt of recorded music, (2, nb_samples) float32, and whether it has neither drums nor bass."""

    sound: np.ndarray
    pitched_only: bool


def speakers() -> list[str]:
    """Return the names of all installed speakers."""
    return list(_installed(SPEECH))


def draw_speaker(rng: np.random.Generator) -> str:
    """Draw a speaker, with a probability proportional to the square root of the number of files."""
    weights = np.sqrt([len(files) for files in _installed(SPEECH).values()])
    return str(rng.choice(speakers(), p=weights / weights.sum()))


def absent() -> list[str]:
    """Return the packages that are not installed."""
    return sorted({source.package for source in SOURCES if not _found(source)})


def spoken(speaker: str, seconds: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Concatenate random recordings of a speaker.

    Returns:
        at least `seconds` of speech, (nb_samples,) at SAMPLE_RATE, and its bandwidth in Hz.
    """
    sounds: list[np.ndarray] = []
    files = _installed(SPEECH)[speaker]
    while sum(len(sound) for sound in sounds) < seconds * SAMPLE_RATE:
        sounds.append(_trimmed(_cleaned(_read(files[rng.integers(len(files))]).mean(0)))[: int(seconds * SAMPLE_RATE)])
    speech = np.concatenate(sounds)
    hertz, power = signal.welch(speech, SAMPLE_RATE, nperseg=2048)
    return speech, max(LOWEST_BAND, float(hertz[power > AUDIBLE * power.max()][-1]))


def music(seconds: float, rng: np.random.Generator) -> Recording | None:
    """Draw an excerpt of music, repeated if it is too short. Returns None if no music is installed."""
    pitched, everything = _installed(PITCHED), _installed(MUSIC)
    collections = list((pitched if pitched and rng.random() < PITCHED_SHARE else everything or pitched).values())
    if not collections:
        return None
    files = collections[rng.integers(len(collections))]
    path, nb_samples = files[rng.integers(len(files))], int(seconds * SAMPLE_RATE)
    sound = _read(path, seconds, rng.random())
    sound = np.pad(sound, ((0, 0), (0, max(0, nb_samples - sound.shape[1]))), "wrap")[:, :nb_samples]
    return Recording(sound, any(path in files for files in pitched.values()))


@cache
def _installed(kind: str) -> dict[str, list[Path]]:
    """Return the files that match each glob of the sources of a kind."""
    return {place: files for source in SOURCES if source.kind == kind for place, files in _found(source).items()}


def _found(source: Source) -> dict[str, list[Path]]:
    folder = Path(os.environ.get("RECORDINGS", "/usr/share"), source.folder)
    found = {
        f"{source.folder}/{glob}": sorted(path for path in folder.glob(glob) if path.suffix in SUFFIXES)
        for glob in source.globs
    }
    return {place: files for place, files in found.items() if files}


def _read(path: Path, seconds: float | None = None, place: float = 0.0) -> np.ndarray:
    """Read a recording as (2, nb_samples) float32, or `seconds` of it, from its start (`place` 0) to its end (1)."""
    with soundfile.SoundFile(path) as file:
        nb_frames = file.frames if seconds is None else min(file.frames, int(seconds * file.samplerate) + 1)
        file.seek(int(place * (file.frames - nb_frames)))
        sound = soxr.resample(file.read(nb_frames, "float32", always_2d=True), file.samplerate, SAMPLE_RATE)
    return np.broadcast_to(sound.T[:2], (2, len(sound))).copy()


def _cleaned(sound: np.ndarray) -> np.ndarray:
    """Subtract the noise, as estimated from the softest frames, from (nb_samples,) (S. Boll, 1979)."""
    if not len(sound):  # a few of the packages' files are empty
        return sound
    _, _, frames = signal.stft(sound, SAMPLE_RATE, nperseg=1024)
    power = np.abs(frames) ** 2
    noise = NOISE * np.percentile(power, 10, axis=-1, keepdims=True)
    _, clean = signal.istft(frames * np.sqrt(np.clip(1 - noise / (power + 1e-12), 0, 1)), SAMPLE_RATE)
    return clean[: len(sound)].astype(np.float32)


def _trimmed(sound: np.ndarray) -> np.ndarray:
    """Scale the sound (nb_samples,) to a common level, remove silence at its ends, and fade it in and out."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max(initial=0))
    if len(loud) < 2 * FADE:
        return sound[:0]
    kept = effects.scale_to(sound[None, loud[0] : loud[-1]], -20)[0]
    time = np.arange(len(kept))
    return kept * np.minimum(1, np.minimum(time, time[::-1]) / FADE).astype(np.float32)
