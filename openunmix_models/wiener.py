"""The multichannel Wiener filter of Open-Unmix (`openunmix.filtering.wiener`) for two channels.

Expectation maximisation over a window of frames: each source has a power spectral density per frame and bin, and a
spatial covariance per bin; the estimates are the mixture, filtered by their share of the covariance.
Source: S. Uhlich et al., "Improving music source separation based on deep neural networks through data augmentation and
network blending", ICASSP 2017.

Bins do not see each other, so that the work goes through a few bins at a time, which stay in the cache. The covariances
are Hermitian two by two, written out in real arithmetic: two real diagonal terms and one complex cross term. Real and
imaginary parts lie in planes of shape (nb_frames, nb_bins).
"""

import torch
from torch import Tensor

EPS = 1e-10
SCALE_FACTOR = 10.0  # both as in Open-Unmix
BINS_AT_ONCE = 32  # a plane of 300 frames is then 38 kB, and what is alive at a time about a megabyte


def separate_window(masks: Tensor, mix_stft: Tensor, niter: int, residual: bool) -> Tensor:
    """The targets' share of a window of the mixture.

    Args:
        masks: real (nb_targets, nb_channels=2, nb_frames, nb_bins), what the networks multiply the mixture by.
        mix_stft: complex (nb_channels=2, nb_frames, nb_bins).
        niter: number of iterations; 0 is the mixture times the masks.
        residual: whether what the targets leave is a source of its own. Its estimate is not given back.
    Returns:
        complex (nb_targets, nb_channels, nb_frames, nb_bins).
    """
    if niter == 0:
        return masks * mix_stft
    scale = max(1.0, mix_stft.abs().max().item() / SCALE_FACTOR)
    nb_bins = mix_stft.shape[-1]
    bins_at_once = BINS_AT_ONCE if mix_stft.device.type == "cpu" else nb_bins
    estimates = mix_stft.new_empty(masks.shape)
    for start in range(0, nb_bins, bins_at_once):
        bins = slice(start, start + bins_at_once)
        estimates[..., bins] = _separate_bins(masks[..., bins], mix_stft[..., bins], scale, niter, residual)
    return estimates


def _separate_bins(masks: Tensor, mix_stft: Tensor, scale: float, niter: int, residual: bool) -> Tensor:
    nb_targets = len(masks)
    x = torch.view_as_real(mix_stft).permute(0, 3, 1, 2).contiguous()  # (channel, re and im, frame, bin)
    y = masks[:, :, None] * x  # (source, channel, re and im, frame, bin)
    x = _filled(x)
    if residual:
        y = torch.cat([y, (x - y.sum(0))[None]])
    for iteration in range(niter):
        nb_wanted = nb_targets if iteration == niter - 1 else len(y)
        y = _iterate(y, x, scale, nb_wanted)
    return torch.complex(y[:, :, 0], y[:, :, 1])


def _filled(x: Tensor) -> Tensor:
    """Open-Unmix's arctangent leaves 1 where the mixture is exactly 0: to the residual, digital silence is 1."""
    silent = (x == 0).all(dim=1)
    if silent.any():
        x = x.clone()
        x[:, 0] += silent
    return x


def _iterate(y: Tensor, x: Tensor, scale: float, nb_wanted: int) -> Tensor:
    """Estimate each source's model from `y`, then filter the mixture `x` for the first `nb_wanted` sources.

    Open-Unmix divides the signals by `scale` before, and multiplies after; here, its epsilons are multiplied instead.
    """
    power, (left, right, cross) = _gaussian_model(y, EPS * scale**2)
    start = x.new_full((), EPS**0.5 * scale**2)
    mix_left, mix_right = _total(power, left, start), _total(power, right, start)
    mix_re, mix_im = _total(power, cross[:, 0]), _total(power, cross[:, 1])

    # inverse covariance times mixture, but for the determinant
    ix = _times_i(x)
    white_left = mix_right * x[0] - mix_re * x[1] - mix_im * ix[1]
    white_right = mix_left * x[1] - mix_re * x[0] + mix_im * ix[0]
    determinant = mix_left * mix_right - mix_re.square() - mix_im.square()
    gain = power[:nb_wanted] / determinant

    white = torch.stack([white_left, white_right])
    i_white_left, i_white_right = _times_i(white)
    out = y.new_empty((nb_wanted, *x.shape))
    for j in range(nb_wanted):
        re, im = cross[j]
        out[j, 0] = (left[j] * white_left + re * white_right + im * i_white_right) * gain[j]
        out[j, 1] = (right[j] * white_right + re * white_left - im * i_white_left) * gain[j]
    return out


def _gaussian_model(y: Tensor, eps: float) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Power spectral densities (nb_sources, nb_frames, nb_bins), and spatial covariances of each bin: left and right
    (nb_sources, nb_bins), and the cross term's real and imaginary part (nb_sources, 2, nb_bins)."""
    (left_re, left_im), (right_re, right_im) = y[:, 0].unbind(1), y[:, 1].unbind(1)
    left = left_re * left_re + left_im * left_im
    right = right_re * right_re + right_im * right_im
    cross = torch.stack([left_re * right_re + left_im * right_im, left_im * right_re - left_re * right_im], dim=1)
    power = (left + right) / 2
    weight = power.sum(-2) + eps
    return power, (left.sum(-2) / weight, right.sum(-2) / weight, cross.sum(-2) / weight[:, None])


def _total(power: Tensor, covariance: Tensor, start: Tensor | None = None) -> Tensor:
    """Sum over the sources of power (nb_sources, nb_frames, nb_bins) times covariance (nb_sources, nb_bins)."""
    total = power[0] * covariance[0] if start is None else torch.addcmul(start, power[0], covariance[0])
    for j in range(1, len(power)):
        total.addcmul_(power[j], covariance[j])
    return total


def _times_i(z: Tensor) -> Tensor:
    """Complex planes (channel, re and im, frame, bin) times the imaginary unit."""
    return torch.stack([-z[:, 1], z[:, 0]], dim=1)
