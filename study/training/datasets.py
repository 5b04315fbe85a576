"""Songs with known stems, and training examples from them: the magnitudes of a mixture and of the target in it.

A folder of songs contains <track>/<stem>.wav at any depth, or the .stem.mp4 files of MUSDB18, which `musdb` reads. The
rest of a song is accompaniment.wav, if the target is vocals and the file exists, or otherwise all other stems.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from openunmix.data import aug_from_str
from openunmix.transforms import make_filterbanks
from torch import Tensor
from torch.nn.functional import interpolate

SAMPLE_RATE = 44100
STEMS = ("vocals", "drums", "bass", "other", "accompaniment")
KINDS = ((True, True), (True, False), (False, True))  # whether a song has the target, and the rest
VALIDATION_INTERVAL = 10  # one of so many songs of each kind is used for validation
SPEEDS = (0.8, 1.25)  # range of the playback speed in training
COLOUR = 3.0  # dB, standard deviation of the random equalizer in training
LEVELS = (-9.0, 6.0)  # dB, range of the target's random gain in training
SAME_SONG = 0.35  # share of examples whose stems come from one song; in the others from two, as in Open-Unmix
SILENT, ALONE = 0.1, 0.05  # shares of the training examples without the target, and with nothing else
SILENCE = 0.003  # peak below which an excerpt counts as silent, and another one is drawn
NB_TRIES = 10  # to find an excerpt that is not silent


class BadFolder(ValueError):
    """A folder that cannot be used for training. The message is a sentence."""


@dataclass(frozen=True)
class FolderTrack:
    """The files of a song's target and of the rest, each possibly empty. All are at least `nb_samples` long."""

    name: str
    targets: Sequence[Path]
    others: Sequence[Path]
    nb_samples: int

    def has(self, of_target: bool) -> bool:
        return bool(self.targets if of_target else self.others)

    def read(self, of_target: bool, start: int, nb_samples: int) -> np.ndarray:
        """A stretch of the target or of the rest, (2, nb_samples) float32."""
        silence = np.zeros((2, nb_samples), np.float32)
        return sum(
            (read_sound(path, start, nb_samples) for path in (self.targets if of_target else self.others)), silence
        )


@dataclass(frozen=True)
class MusdbTrack:
    """A `musdb` track of MUSDB18, and the name of the target."""

    track: Any  # musdb has no type annotations
    target: str
    nb_samples: int

    def has(self, of_target: bool) -> bool:
        return True

    def read(self, of_target: bool, start: int, nb_samples: int) -> np.ndarray:
        """A stretch of the target or of the rest, (2, nb_samples) float32."""
        self.track.chunk_start = start / SAMPLE_RATE
        self.track.chunk_duration = nb_samples / SAMPLE_RATE
        target = self.track.targets[self.target].audio.T
        sound = target if of_target else self.track.audio.T - target
        return np.pad(sound, ((0, 0), (0, nb_samples)))[:, :nb_samples].astype(np.float32)


Track = FolderTrack | MusdbTrack


def find_tracks(root: Path, target: str) -> tuple[list[Track], list[Track]]:
    """Find the songs below `root` for training and for validation. Raises BadFolder."""
    if not root.is_dir():
        raise BadFolder(f"There is no folder {root.name}.")
    if next(root.glob("**/*.stem.mp4"), None):
        return _musdb_tracks(root, target)
    folders = sorted({path.parent for stem in STEMS for path in root.glob(f"**/{stem}.wav")})
    usable = [folder for folder in folders if not folder.name.startswith(".") and _is_known(folder, target)]
    tracks: list[Track] = [_folder_track(folder, target) for folder in usable]
    parts = _parts(tracks)
    if not all(any(track.has(of_target) for track in part) for part in parts for of_target in (True, False)):
        nb_whole = min(sum(track.has(of_target) for track in tracks) for of_target in (True, False))
        raise BadFolder(
            f"{root.name} holds {nb_whole} songs with {target}.wav and other stems; at least two are needed."
        )
    return parts


def _parts(tracks: list[Track]) -> tuple[list[Track], list[Track]]:
    """Split the songs into training and validation, each with songs of each kind."""
    kinds = [[track for track in tracks if (track.has(True), track.has(False)) == kind] for kind in KINDS]
    kinds = [np.random.default_rng(0).permutation(np.array(kind, object)).tolist() for kind in kinds]
    training = [track for kind in kinds for i, track in enumerate(kind) if i % VALIDATION_INTERVAL]
    return training, [track for kind in kinds for track in kind[::VALIDATION_INTERVAL]]


def _musdb_tracks(root: Path, target: str) -> tuple[list[Track], list[Track]]:
    import musdb

    parts = [musdb.DB(root=str(root), subsets="train", split=split) for split in ("train", "valid")]
    tracks: list[list[Track]] = [
        [MusdbTrack(track, target, int(track.duration * SAMPLE_RATE)) for track in part] for part in parts
    ]
    if not all(tracks):
        raise BadFolder(f"{root.name} does not hold MUSDB18's songs for training and validation.")
    return tracks[0], tracks[1]


def _is_known(folder: Path, target: str) -> bool:
    """Return whether `folder` has the target as a separate stem, or certainly does not contain it.

    An accompaniment that is not split may contain drums, bass and other.
    """
    return target == "vocals" or (folder / f"{target}.wav").is_file() or not (folder / "accompaniment.wav").is_file()


def _folder_track(folder: Path, target: str) -> FolderTrack:
    """Return the song in `folder`. Raises BadFolder."""
    accompaniment = folder / "accompaniment.wav"
    others = [folder / f"{stem}.wav" for stem in STEMS[:-1] if stem != target]
    others = [accompaniment] if accompaniment.is_file() and target == "vocals" else [o for o in others if o.is_file()]
    targets = [path for path in [folder / f"{target}.wav"] if path.is_file()]
    return FolderTrack(folder.name, targets, others, min(_length(file) for file in (*targets, *others)))


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


def read_sound(path: Path, start: int, nb_samples: int) -> np.ndarray:
    """A stretch of a file in stereo, (2, nb_samples) float32; what is missing at its end is silence."""
    sound, _ = soundfile.read(path, nb_samples, start, dtype="float32", always_2d=True, fill_value=0.0)
    return np.broadcast_to(sound.T, (2, nb_samples)).copy()


def collate(examples: Sequence[tuple[Tensor, ...]], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """A batch (nb_examples, nb_channels, nb_bins, nb_frames) that lies in memory as the network goes through it, frame
    after frame: a third faster on a CPU."""
    stacked = (
        torch.stack([part.permute(2, 0, 1).to(dtype) for part in parts], 1) for parts in zip(*examples, strict=True)
    )
    return tuple(parts.permute(1, 2, 3, 0) for parts in stacked)


class Examples(torch.utils.data.Dataset):
    """`nb_examples` of `seconds` each, for ever the same for the same seed and epoch: pairs of magnitudes
    (nb_channels, nb_bins, nb_frames) of the mixture and of the target. In training they are augmented
    as Open-Unmix does it, and the stems are played at other speeds, coloured, and mixed at other levels."""

    def __init__(
        self, tracks: Sequence[Track], nb_examples: int, seconds: float, n_fft: int, n_hop: int, seed: int,
        augmented: bool,
    ):  # fmt: skip
        self.tracks, self.nb_examples, self.seed, self.augmented = tracks, nb_examples, seed, augmented
        self.nb_samples, self.epoch = int(seconds * SAMPLE_RATE), 0
        self.songs = {of_target: [track for track in tracks if track.has(of_target)] for of_target in (True, False)}
        self._filterbank = make_filterbanks(n_fft, n_hop, center=False)[0]
        self._octaves = np.log2(np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE).clip(30) / 30)
        self._augment = aug_from_str(["gain", "channelswap"]) if augmented else torch.nn.Identity()

    def __len__(self) -> int:
        return self.nb_examples

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(int(rng.integers(2**31)))
            stems = torch.stack([self._augment(sound) for sound in self._stems(index, rng)])
            target, rest = self._stft(stems) * self._gains(rng)
            return (target + rest).abs(), target.abs()

    def _stft(self, sounds: Tensor) -> Tensor:
        """Complex spectra (nb_sounds, nb_channels, nb_bins, nb_frames) of (nb_sounds, nb_channels, nb_samples)."""
        return torch.view_as_complex(self._filterbank(sounds))

    def _gains(self, rng: np.random.Generator) -> Tensor:
        """What target and rest are multiplied by, (2, 1, nb_bins, 1): in training a random level of the target, and an
        equaliser for both that has a random setting every two octaves from 30 Hz on; at times one of them is muted."""
        if not self.augmented:
            return torch.ones(2, 1, 1, 1)
        settings = COLOUR * rng.standard_normal((2, 6))
        settings[0] += rng.uniform(*LEVELS)
        decibels = [np.interp(self._octaves, np.arange(0, 12, 2), setting) for setting in settings]
        gains = 10 ** (torch.tensor(np.stack(decibels), dtype=torch.float32) / 20)
        muted = rng.random()
        gains[0] *= muted >= SILENT
        gains[1] *= muted < 1 - ALONE
        return gains[:, None, :, None]

    def _stems(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The target of the next song in turn, and the rest of the same or of another."""
        place = self._place(self.songs[True][index % len(self.songs[True])], rng)
        target, place = self._sounding(True, place, rng)
        together = place[0].has(False) and (not self.augmented or rng.random() < SAME_SONG)
        return target, self._sounding(False, place if together else self._other_place(False, rng), rng)[0]

    def _sounding(self, of_target: bool, place: tuple, rng: np.random.Generator) -> tuple[Tensor, tuple]:
        """A stem at `place`, or where it is silent there at another, and that place."""
        for _ in range(NB_TRIES):
            sound = self._stem(of_target, *place)
            if sound.abs().max() > SILENCE:
                break
            place = self._other_place(of_target, rng)
        return sound, place

    def _stem(self, of_target: bool, track: Track, start: int, speed: float) -> Tensor:
        """A stretch of a stem, (nb_channels, nb_samples), as if played at `speed`."""
        return self._at_speed(partial(track.read, of_target), start, speed)

    def _at_speed(self, read: Callable[[int, int], np.ndarray], start: int, speed: float) -> Tensor:
        """Return what `read` finds from `start` on, (nb_channels, nb_samples), as if played at `speed`."""
        sound = torch.from_numpy(read(start, round(self.nb_samples * speed)))
        return sound if speed == 1 else interpolate(sound[None], self.nb_samples, mode="linear")[0]

    def _other_place(self, of_target: bool, rng: np.random.Generator) -> tuple[Track, int, float]:
        songs = self.songs[of_target]
        return self._place(songs[rng.integers(len(songs))], rng)

    def _place(self, track: Track, rng: np.random.Generator) -> tuple[Track, int, float]:
        """A song, a sample of it to begin with, and in training a random speed."""
        start = int(rng.integers(max(0, track.nb_samples - self.nb_samples) + 1))
        return track, start, np.exp(rng.uniform(*np.log(SPEEDS))) if self.augmented else 1.0
