"""The level at which a network receives a recording.

A network works best at the levels that it was trained at: far below, it mistakes voices for music. Therefore each
window of a recording is scaled before the network, to a root-mean-square level that the model states. The mask is
applied to the mixture as it is.
"""

import math

from torch import Tensor

HANN_POWER = 3 / 8  # mean square of a Hann window
QUIETEST = 1e-5  # -100 dB: what is quieter than the noise of 16 bits is not scaled any further


def gain_to(level: float | None, magnitudes: Tensor) -> float:
    """Compute the gain that brings a window of the mixture to a level.

    Args:
        level: root mean square in dB relative to full scale, or None for a gain of 1.
        magnitudes: of a pair of channels, (2, nb_frames, nb_bins), from an STFT with a Hann window.
    Returns:
        the factor for the magnitudes; by Parseval's theorem, their mean square is that of the samples.
    """
    if level is None:
        return 1.0
    n_fft = 2 * (magnitudes.shape[-1] - 1)
    mean_square = 2 * magnitudes.square().sum(-1).mean().item() / (HANN_POWER * n_fft**2)
    return 10 ** (level / 20) / max(math.sqrt(mean_square), QUIETEST)
