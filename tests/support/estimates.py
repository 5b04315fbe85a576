"""A test signal, and a model's estimates for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from openunmix_models.estimation import Refinement, Signal, estimate
from openunmix_models.masks import Model

NB_SAMPLES_PER_BLOCK = 16384


def music(nb_samples: int, nb_channels: int = 2) -> np.ndarray:
    """Noise and chords with a beat at 44100 Hz, (nb_channels, nb_samples), with other levels in each channel."""
    rng = np.random.default_rng(0)
    seconds = np.arange(nb_samples) / 44100
    tones = np.stack([np.sin(2 * np.pi * f * seconds) for f in (110, 220.5, 331, 1760, 5000, 13_000)])
    beat = 0.6 + 0.4 * np.sin(2 * np.pi * 2 * seconds)
    noise = 0.05 * rng.standard_normal((nb_channels, nb_samples))
    return (rng.uniform(0, 0.2, (nb_channels, len(tones))) @ tones * beat + noise).astype(np.float32)


def estimates(
    audio: np.ndarray,
    model: Model,
    scratch: Path,
    targets: Sequence[str] = ("vocals",),
    refinement: Refinement | None = None,
) -> np.ndarray:
    """The estimates (nb_targets, nb_channels, nb_samples), by default without a Wiener filter."""
    refinement = refinement or Refinement(0, residual=len(targets) == 1)
    starts = range(0, audio.shape[1], NB_SAMPLES_PER_BLOCK)
    blocks = [audio[:, start : start + NB_SAMPLES_PER_BLOCK] for start in starts]
    signal = Signal(lambda: iter(blocks), *audio.shape)
    return np.concatenate(list(estimate(signal, model, targets, refinement, scratch, lambda part: None)), axis=-1)
