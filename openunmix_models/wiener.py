"""Multichannel Wiener filter for two channels, equivalent to Open-Unmix's `openunmix.filtering.wiener`.

Expectation maximisation over a window of frames: each source has a power spectral density per frame and bin, and a
spatial covariance per bin; the estimates are the mixture, filtered by their share of the covariance.
Source: S. Uhlich et al., "Improving music source separation based on deep neural networks through data augmentation and
network blending", ICASSP 2017.
The power spectral densities are made of the squared magnitudes; a model may state a smaller exponent than 2. Source: A.
Liutkus and R. Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015.

Bins are independent, so a few are processed at a time, which fit the CPU's cache. Covariances
are Hermitian 2×2 matrices, written out in real arithmetic: two real diagonal terms and one complex cross term. Real and
imaginary parts are stored as planes of shape (nb_frames, nb_bins).
"""

import math
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor

from .stft import power

EPS = 1e-10
SCALE_FACTOR = 10.0  # both as in Open-Unmix


def separate_window(
    masks: Iterable[Tensor], mix_stft: Tensor, niter: int, residual: bool, exponent: float = 2.0
) -> Tensor:
    """Estimate the targets' STFTs in a window of the mixture.

    Args:
        masks: masks of consecutive bins, each real (nb_targets, nb_channels=2, nb_frames, BINS_AT_ONCE).
        mix_stft: complex (nb_channels=2, nb_frames, nb_bins).
        niter: number of iterations; 0 returns the mixture times the masks.
        residual: whether the filter has the residual as another source. Its estimate is not returned.
        exponent: of the magnitudes in the power spectral densities, 2 as in Open-Unmix.
    Returns:
        complex (nb_targets, nb_channels, nb_frames, nb_bins).
    """
    quietest, loudest = power(mix_stft).aminmax()
    scale = max(1.0, math.sqrt(loudest.item()) / SCALE_FACTOR)
    filled = _filled(mix_stft) if quietest == 0 else mix_stft
    masks, start = iter(masks), 0
    first = next(masks)
    estimates = mix_stft.new_empty((len(first), *mix_stft.shape))
    for mask in chain([first], masks):
        bins = slice(start, start + mask.shape[-1])
        x = _planes(filled[..., bins])
        mix = x if filled is mix_stft else _planes(mix_stft[..., bins])
        y = _first_estimates(mask, mix, x, residual and niter > 0)
        for iteration in range(niter):
            y = _iterate(y, x, scale, exponent, len(mask) if iteration == niter - 1 else len(y))
        torch.complex(y[:, :, 0], y[:, :, 1], out=estimates[..., bins])
        start = bins.stop
    return estimates


def _filled(mix_stft: Tensor) -> Tensor:
    """Replace 0 by 1, because Open-Unmix computes the residual from a mixture that is 1 wherever it was exactly 0."""
    return torch.where(mix_stft == 0, 1, mix_stft)


def _planes(stft: Tensor) -> Tensor:
    """Complex (nb_channels, nb_frames, nb_bins) to real (nb_channels, 2, nb_frames, nb_bins)."""
    # (nb_channels, nb_frames, nb_bins, 2) to (nb_channels, 2, nb_frames, nb_bins)
    return torch.view_as_real(stft).permute(0, 3, 1, 2).contiguous()


def _first_estimates(masks: Tensor, mix: Tensor, x: Tensor, residual: bool) -> Tensor:
    """Multiply the mixture `mix` by the masks, and subtract the results from the filled mixture `x` for the residual.

    Returns (nb_sources, nb_channels, 2, nb_frames, nb_bins)."""
    nb_targets = len(masks)
    y = x.new_empty((nb_targets + residual, *x.shape))
    torch.mul(masks[:, :, None], mix, out=y[:nb_targets])
    if residual:
        torch.sub(x, y[0], out=y[-1])
        for target in y[1:-1]:
            y[-1] -= target
    return y


def _iterate(y: Tensor, x: Tensor, scale: float, exponent: float, nb_wanted: int) -> Tensor:
    """Estimate each source's model from `y`, then filter the mixture `x` for the first `nb_wanted` sources.

    Open-Unmix divides the signals by `scale`; here the epsilons are multiplied instead, with the same result.
    """
    psd, covariance = _gaussian_model(y, EPS * scale**2)
    if exponent != 2:
        psd.pow_(exponent / 2)
    mix = psd[0] * covariance[0]
    for j in range(1, len(y)):
        mix.addcmul_(psd[j], covariance[j])
    mix[:2] += EPS**0.5 * scale**exponent
    left, right, re, im = mix

    whitened = _hermitian_times(x, right, left, -re, -im)  # inverse of the covariance, without its determinant
    gain = psd[:nb_wanted] / (left * right).addcmul_(re, re, value=-1).addcmul_(im, im, value=-1)
    filtered = [_hermitian_times(whitened, *covariance[j]).mul_(gain[j]) for j in range(nb_wanted)]
    return torch.stack(filtered) if nb_wanted > 1 else filtered[0][None]


def _gaussian_model(y: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Twice the power spectral densities (nb_sources, nb_frames, nb_bins), and half the spatial covariances
    (nb_sources, 4, 1, nb_bins): left, right, and the cross term's real and imaginary part."""
    channels = (y[:, :, 0] * y[:, :, 0]).addcmul_(y[:, :, 1], y[:, :, 1])
    psd = channels[:, 0] + channels[:, 1]
    left, right = channels.sum(-2).unbind(1)
    re = (y[:, 0] * y[:, 1]).sum((1, 2))
    im = (y[:, 0, 1] * y[:, 1, 0]).addcmul_(y[:, 0, 0], y[:, 1, 1], value=-1).sum(1)
    covariance = torch.stack([left, right, re, im], dim=1) / (left + right + 2 * eps)[:, None]
    return psd, covariance[:, :, None]


def _hermitian_times(z: Tensor, left: Tensor, right: Tensor, re: Tensor, im: Tensor) -> Tensor:
    """Multiply z, in planes (2, 2, nb_frames, nb_bins), by the matrix (left, re + i im; re - i im, right)."""
    iz = torch.empty_like(z)
    torch.neg(z[:, 1], out=iz[:, 0])
    iz[:, 1] = z[:, 0]
    out = torch.empty_like(z)
    torch.mul(left, z[0], out=out[0]).addcmul_(re, z[1]).addcmul_(im, iz[1])
    torch.mul(right, z[1], out=out[1]).addcmul_(re, z[0]).addcmul_(im, iz[0], value=-1)
    return out
