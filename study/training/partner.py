"""Training of a network for a blend: its mask will be averaged with that of a partner, another model.

The loss is that of the blend: the mean square error of share * partner + (1 - share) * network. The partner separates
each song once; its estimate is kept beside the song's stems, as <target>.<partner>.wav. As it belongs to one mixture,
songs are not mixed with one another.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor
from tqdm import tqdm

from openunmix_models.errors import SeparatorError
from openunmix_models.loading import load_model
from openunmix_models.masks import Model
from openunmix_models.separation import Options, separate
from openunmix_models.weights import ensure_weights, find_model
from study.training.datasets import SAMPLE_RATE, BadFolder, Examples, FolderTrack, Track, read_sound

GAINS = (0.25, 1.25)  # of an example in training, as in Open-Unmix


@dataclass(frozen=True)
class PartneredTrack(FolderTrack):
    """A song, and the file with the partner's estimate of its target."""

    estimate: Path

    def read_estimate(self, start: int, nb_samples: int) -> np.ndarray:
        """Return an excerpt of the estimate, (2, nb_samples) float32."""
        return read_sound(self.estimate, start, nb_samples)


def with_estimates(tracks: Sequence[Track], partner: str, target: str) -> list[PartneredTrack]:
    """Return the songs with the partner's estimates, after separating those that it has not separated yet.

    Raises BadFolder if the partner cannot be loaded, or if the songs are not WAV files.
    """
    try:
        found = find_model(partner)
        ensure_weights(found, [target], offline=True)
        model = load_model(found, [target], "cpu")
        return [_partnered(track, model, found.name, target) for track in tqdm(tracks, desc=found.name, leave=False)]
    except SeparatorError as error:
        raise BadFolder(str(error)) from None


def _partnered(track: Track, model: Model, name: str, target: str) -> PartneredTrack:
    if not isinstance(track, FolderTrack):
        raise BadFolder("A partner needs songs whose stems are WAV files.")
    folder = [*track.targets, *track.others][0].parent
    estimate = folder / f"{target}.{name}.wav"
    if not estimate.is_file():
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as scratch:
            mixture = Path(scratch, "mixture.wav")
            samples = track.read(True, 0, track.nb_samples) + track.read(False, 0, track.nb_samples)
            soundfile.write(mixture, samples.T, SAMPLE_RATE, "FLOAT")
            (path,) = separate(mixture, Path(scratch, "out"), model, Options([target], niter=0), lambda _: None)
            path.replace(estimate)
    return PartneredTrack(track.name, track.targets, track.others, track.nb_samples, estimate)


class PartneredExamples(Examples):
    """Examples of the mixture, of the target, and of the partner's estimate, each (nb_channels, nb_bins, nb_frames).

    Of the target and the estimate only the part in phase with the mixture counts: a mask cannot change the phase, so
    the error of these real numbers differs from the error of the blend's spectrum by a constant.
    """

    tracks: Sequence[PartneredTrack]

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        track = self.tracks[index % len(self.tracks)]
        _, start, speed = self._place(track, rng)
        readers = (partial(track.read, True), partial(track.read, False), track.read_estimate)
        sounds = torch.stack([self._at_speed(read, start, speed) for read in readers])
        if self.augmented:
            sounds *= rng.uniform(*GAINS)
            sounds = sounds.flip(1) if rng.random() < 0.5 else sounds
        target, rest, estimate = self._stft(sounds)
        mixture = target + rest
        magnitudes = mixture.abs()
        phases = mixture / magnitudes.clamp(min=torch.finfo(torch.float32).tiny)
        return magnitudes, (target * phases.conj()).real, (estimate * phases.conj()).real
