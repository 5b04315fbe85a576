"""The level at which a network receives a recording.

A network works best at the levels that it was trained at: far below, it mistakes voices for music. Therefore each
window of a recording is scaled before the network, to a root-mean-square level that the model states. The mask is
applied to the mixture as it is.
"""

import math

import torch
from torch import Tensor

HANN_POWER = 3 / 8  # mean square of a Hann window
QUIETEST = 1e-5  # -100 dB, below the noise of 16 bits; quieter windows get the same gain


def gain_to(level: float | None, magnitudes: Tensor) -> float:
    """Compute the gain that brings a window of the mixture to a level.

    Args:
        level: root mean square in dB relative to full scale, or None for a gain of 1.
        magnitudes: of a pair of channels, (2, nb_frames, nb_bins), from an STFT with a Hann window.
    Returns:
        the factor for the magnitudes. By Parseval's theorem, they give the root mean square of the samples.
    """
    if level is None:
        return 1.0
    nb_channels, nb_frames, nb_bins = magnitudes.shape
    n_fft = 2 * (nb_bins - 1)
    norm: float = torch.linalg.vector_norm(magnitudes).item()
    root_mean_square = norm * math.sqrt(2 / (nb_channels * nb_frames * HANN_POWER)) / n_fft
    return math.pow(10, level / 20) / max(root_mean_square, QUIETEST)
