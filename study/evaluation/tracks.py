"""Load songs with known stems for the evaluation, from MUSDB18 or from folders <track>/<stem>.wav."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

FOUR = ("vocals", "drums", "bass", "other")
TWO = ("vocals", "accompaniment")


class BadTracks(ValueError):
    """A folder or a track cannot be used for evaluation. The message is a sentence for the user."""


@dataclass(frozen=True)
class Track:
    """A song with a file for each stem, or one .stem.mp4 file with all stems under the key "stems"."""

    name: str
    files: Mapping[str, Path]

    @property
    def has_four(self) -> bool:
        return "stems" in self.files or set(FOUR) <= set(self.files)

    def stems(self, seconds: float | None) -> tuple[dict[str, np.ndarray], int]:
        """Read the stems and return them with their sample rate.

        Args:
            seconds: Length of the excerpt from the middle of the song, or None for the whole song.

        Returns:
            Stems (nb_samples, nb_channels) float32 by name, and the sample rate in Hz. The mixture and the
            accompaniment are included, computed as sums if they have no files.

        Raises:
            BadTracks: The files differ in length, sample rate or channels.
        """
        if "stems" in self.files:
            return _read_musdb(self.files["stems"], seconds)
        sounds = {name: _read(path, seconds) for name, path in self.files.items()}
        if len({(rate, sound.shape) for sound, rate in sounds.values()}) > 1:
            raise BadTracks(f"The stems of {self.name} differ in length, sample rate or channels.")
        rate = next(rate for _, rate in sounds.values())
        return _completed({name: sound for name, (sound, _) in sounds.items()}), rate


def find_tracks(root: Path, nb_tracks: int) -> list[Track]:
    """Find at most `nb_tracks` songs below `root`, or below `root`/test if it exists. Raises BadTracks."""
    if not root.is_dir():
        raise BadTracks(f"The folder {root.name} does not exist.")
    folder = root / "test" if (root / "test").is_dir() else root
    musdb = [Track(path.name.removesuffix(".stem.mp4"), {"stems": path}) for path in sorted(folder.rglob("*.stem.mp4"))]
    tracks = musdb or [_in_folder(path.parent) for path in sorted(folder.rglob("vocals.wav"))]
    if not tracks:
        raise BadTracks(f"{root.name} holds no songs: neither .stem.mp4 files nor folders with vocals.wav.")
    return tracks[:nb_tracks]


def _in_folder(folder: Path) -> Track:
    """Return the song in `folder`. Raises BadTracks if it has no stems besides the vocals."""
    files = {name: folder / f"{name}.wav" for name in ("mixture", *FOUR, "accompaniment")}
    files = {name: path for name, path in files.items() if path.is_file()}
    if "accompaniment" not in files and not set(FOUR) <= set(files):
        raise BadTracks(f"The song {folder.name} lacks stems: accompaniment.wav, or drums.wav, bass.wav and other.wav.")
    return Track(folder.name, files)


def _completed(sounds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if "accompaniment" not in sounds:
        sounds["accompaniment"] = sounds["drums"] + sounds["bass"] + sounds["other"]
    if "mixture" not in sounds:
        sounds["mixture"] = sounds["vocals"] + sounds["accompaniment"]
    return sounds


def _read(path: Path, seconds: float | None) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(path) as file:
            start, nb_samples = _middle(file.frames, file.samplerate, seconds)
            file.seek(start)
            return file.read(nb_samples, dtype="float32", always_2d=True), file.samplerate
    except soundfile.SoundFileError:
        raise BadTracks(f"{path.parent.name}/{path.name} cannot be read as audio.") from None


def _read_musdb(path: Path, seconds: float | None) -> tuple[dict[str, np.ndarray], int]:
    """Read the five streams of a MUSDB18 file: mixture, drums, bass, other, vocals."""
    import stempeg

    read = partial(stempeg.read_stems, str(path), dtype=np.float32)
    info = stempeg.Info(str(path))
    rate = info.sample_rate(0)
    start, nb_samples = _middle(int(info.duration(0) * rate), rate, seconds)
    sounds, rate = read(start=start / rate, duration=nb_samples / rate if seconds else None)
    return _completed(dict(zip(("mixture", "drums", "bass", "other", "vocals"), sounds, strict=True))), rate


def _middle(nb_samples: int, rate: int, seconds: float | None) -> tuple[int, int]:
    """Return the first sample and the number of samples of an excerpt from the middle."""
    wanted = nb_samples if seconds is None else min(nb_samples, round(seconds * rate))
    return (nb_samples - wanted) // 2, wanted
