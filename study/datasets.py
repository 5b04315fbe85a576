"""Songs with true stems, and the training examples made of them: magnitudes of a mixture and of the target in it.

A folder of songs holds <track>/<stem>.wav at any depth; of MUSDB18 either the stems (.stem.mp4, read by `musdb`) or
the WAV files. What is not the target is the accompaniment: accompaniment.wav where there is one, else all other stems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from openunmix.data import aug_from_str
from openunmix.transforms import ComplexNorm, make_filterbanks
from torch import Tensor

SAMPLE_RATE = 44100
STEMS = ("vocals", "drums", "bass", "other", "accompaniment")
VALID_SHARE = 0.1  # of the songs, at least one
SPEEDS = (0.8, 1.25)  # at which a stem is played in training
COLOUR = 3.0  # dB, about, by which a stem is raised or lowered here and there in its spectrum in training
SAME_SONG = 0.5  # of the examples; in the others the stems come from two songs, as in Open-Unmix


class BadFolder(ValueError):
    """A folder that nothing can be learnt from; the message is a sentence for people."""


@dataclass(frozen=True)
class FolderTrack:
    """A song in files: `target` in one, the rest in the files `others`, at least `nb_samples` long."""

    name: str
    target: Path
    others: Sequence[Path]
    nb_samples: int

    def read(self, of_target: bool, start: int, nb_samples: int) -> np.ndarray:
        """A stretch of the target or of the rest, (2, nb_samples) float32."""
        paths = [self.target] if of_target else self.others
        return sum(_read(path, start, nb_samples) for path in paths)


@dataclass(frozen=True)
class MusdbTrack:
    """A song of MUSDB18's stems: a `musdb` track, and which of its stems is wanted."""

    track: object
    target: str
    nb_samples: int

    def read(self, of_target: bool, start: int, nb_samples: int) -> np.ndarray:
        """A stretch of the target or of the rest, (2, nb_samples) float32."""
        self.track.chunk_start = start / SAMPLE_RATE
        self.track.chunk_duration = nb_samples / SAMPLE_RATE
        target = self.track.targets[self.target].audio.T
        sound = target if of_target else self.track.audio.T - target
        return np.pad(sound, ((0, 0), (0, nb_samples)))[:, :nb_samples].astype(np.float32)


Track = FolderTrack | MusdbTrack


def find_tracks(root: Path, target: str) -> tuple[list[Track], list[Track]]:
    """The songs below `root` for training and for validation. Raises BadFolder."""
    if not root.is_dir():
        raise BadFolder(f"There is no folder {root.name}.")
    if next(root.glob("**/*.stem.mp4"), None):
        return _musdb_tracks(root, target)
    paths = sorted(path for path in root.glob(f"**/{target}.wav") if not path.parent.name.startswith("."))
    tracks = [_folder_track(path, target) for path in paths]
    tracks = [track for track in tracks if track.nb_samples]
    if len(tracks) < 2:
        raise BadFolder(
            f"{root.name} holds {len(tracks)} songs with {target}.wav and other stems; at least two are needed."
        )
    order = np.random.default_rng(0).permutation(len(tracks))
    nb_valid = max(1, round(VALID_SHARE * len(tracks)))
    return [tracks[i] for i in sorted(order[nb_valid:])], [tracks[i] for i in sorted(order[:nb_valid])]


def _musdb_tracks(root: Path, target: str) -> tuple[list[Track], list[Track]]:
    import musdb

    parts = [musdb.DB(root=str(root), subsets="train", split=split) for split in ("train", "valid")]
    tracks = [[MusdbTrack(track, target, int(track.duration * SAMPLE_RATE)) for track in part] for part in parts]
    if not all(tracks):
        raise BadFolder(f"{root.name} does not hold MUSDB18's songs for training and validation.")
    return tracks[0], tracks[1]


def _folder_track(path: Path, target: str) -> FolderTrack:
    """The song that the stem at `path` belongs to; without other stems it has no samples. Raises BadFolder."""
    folder, accompaniment = path.parent, path.parent / "accompaniment.wav"
    others = [folder / f"{stem}.wav" for stem in STEMS[:-1] if stem != target]
    others = [accompaniment] if accompaniment.is_file() and target == "vocals" else [o for o in others if o.is_file()]
    lengths = [_length(file) for file in (path, *others)]
    return FolderTrack(folder.name, path, others, min(lengths) if others else 0)


def _length(path: Path) -> int:
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        raise BadFolder(f"{path.parent.name}/{path.name} is not a sound file.") from None
    if info.samplerate != SAMPLE_RATE or info.channels > 2:
        raise BadFolder(
            f"{path.parent.name}/{path.name} has {info.channels} channels at {info.samplerate} Hz; "
            f"one or two at {SAMPLE_RATE} Hz are needed."
        )
    return info.frames


def _read(path: Path, start: int, nb_samples: int) -> np.ndarray:
    """A stretch of a file in stereo, (2, nb_samples) float32; what is missing at its end is silence."""
    sound, _ = soundfile.read(path, nb_samples, start, dtype="float32", always_2d=True, fill_value=0.0)
    return np.broadcast_to(sound.T, (2, nb_samples)).copy()


def _played(sound: np.ndarray, nb_samples: int, speed: float) -> np.ndarray:
    """`nb_samples` of a sound at another speed, and so at another pitch."""
    times = np.arange(nb_samples) * speed
    before = times.astype(int)
    share = (times - before).astype(np.float32)
    return sound[:, before] * (1 - share) + sound[:, np.minimum(before + 1, sound.shape[1] - 1)] * share


def _coloured(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound with the gains of an equaliser that has a random setting every two octaves from 30 Hz on."""
    nb_samples = sound.shape[1]
    octaves = np.log2(np.fft.rfftfreq(nb_samples, 1 / SAMPLE_RATE).clip(30) / 30)
    gains = np.interp(octaves, np.arange(0, 12, 2), COLOUR * rng.standard_normal(6))
    return np.fft.irfft(np.fft.rfft(sound) * np.exp(gains * (np.log(10) / 20)).astype(np.float32), nb_samples)


def collate(examples: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """A batch (nb_examples, nb_channels, nb_bins, nb_frames) that lies in memory as the network goes through it, frame
    after frame: a third faster on a CPU."""
    mixtures, targets = (
        torch.stack([part.permute(2, 0, 1) for part in parts], 1) for parts in zip(*examples, strict=True)
    )
    return mixtures.permute(1, 2, 3, 0), targets.permute(1, 2, 3, 0)


class Examples(torch.utils.data.Dataset):
    """`nb_examples` of `seconds` each, for ever the same for the same seed and epoch: pairs of magnitudes
    (nb_channels, nb_bins, nb_frames) of the mixture and of the target. In training they are augmented
    as Open-Unmix does it, and the stems are played at other speeds and coloured."""

    def __init__(
        self, tracks: Sequence[Track], nb_examples: int, seconds: float, n_fft: int, n_hop: int, seed: int,
        augmented: bool,
    ):  # fmt: skip
        self.tracks, self.nb_examples, self.seed, self.augmented = tracks, nb_examples, seed, augmented
        self.nb_samples, self.epoch = int(seconds * SAMPLE_RATE), 0
        self._stft = torch.nn.Sequential(make_filterbanks(n_fft, n_hop, center=False)[0], ComplexNorm(mono=False))
        self._augment = aug_from_str(["gain", "channelswap"]) if augmented else torch.nn.Identity()

    def __len__(self) -> int:
        return self.nb_examples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(int(rng.integers(2**31)))
            target, rest = (self._augment(torch.from_numpy(sound)) for sound in self._stems(index, rng))
            return self._stft((target + rest)[None])[0], self._stft(target[None])[0]

    def _stems(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The target of the next song in turn, and the rest of the same or of another."""
        track = self.tracks[index % len(self.tracks)]
        speed = np.exp(rng.uniform(*np.log(SPEEDS))) if self.augmented else 1.0
        start = self._start(track, rng)
        target = self._stem(track, True, start, speed, rng)
        if self.augmented and rng.random() >= SAME_SONG:
            track = self.tracks[rng.integers(len(self.tracks))]
            start, speed = self._start(track, rng), np.exp(rng.uniform(*np.log(SPEEDS)))
        return target, self._stem(track, False, start, speed, rng)

    def _stem(
        self, track: Track, of_target: bool, start: int, speed: float, rng: np.random.Generator
    ) -> np.ndarray:  # fmt: skip
        """A stretch of a stem; in training as if played at `speed`, and coloured by a random smooth equaliser."""
        if not self.augmented:
            return track.read(of_target, start, self.nb_samples)
        sound = track.read(of_target, start, int(self.nb_samples * speed) + 1)
        return _coloured(_played(sound, self.nb_samples, speed), rng)

    def _start(self, track: Track, rng: np.random.Generator) -> int:
        return int(rng.integers(max(0, track.nb_samples - self.nb_samples) + 1))
