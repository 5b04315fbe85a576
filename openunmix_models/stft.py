"""The short-time Fourier transform and its inverse, window by window, with the frames of `torch.stft(center=True)`.

A window is a number of consecutive frames. Adjacent windows share the samples that their frames share; the inverse
adds them up (overlap-add) and divides by the sum of the squared Hann windows, as `torch.istft` does.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

FRAMES_AT_ONCE = 32  # two channels of 4096 samples each: 1 MB, half of a typical L2 cache


def count_frames(nb_samples: int, n_hop: int) -> int:
    """Return the number of STFT frames of a signal of `nb_samples` samples."""
    return 1 + nb_samples // n_hop


def cut_windows(
    blocks: Iterable[np.ndarray], n_fft: int, n_hop: int, nb_frames: int, overlap: int = 0
) -> Iterator[np.ndarray]:
    """Cut a signal into windows of `nb_frames` frames (the last may have fewer).

    Args:
        blocks: consecutive blocks of the signal, (nb_channels, nb_samples), at least one.
        overlap: number of frames that consecutive windows share.
    Yields:
        (nb_channels, (nb_frames - 1) * n_hop + n_fft) samples of the reflect-padded signal.
    Raises:
        ValueError: there are no blocks.
    """
    step, width = (nb_frames - overlap) * n_hop, (nb_frames - 1) * n_hop + n_fft
    mirrored = _reflect_padded(blocks, n_fft // 2)
    held, nb_old = next(mirrored), 0
    while (more := _take_samples(mirrored, width - held.shape[1])) is not None:
        held = np.concatenate([held, more], axis=1)
        while held.shape[1] >= width:
            yield held[:, :width]
            held, nb_old = held[:, step:], overlap
    nb_left = 1 + (held.shape[1] - n_fft) // n_hop
    if nb_left > nb_old:
        yield held[:, : (nb_left - 1) * n_hop + n_fft]


def _reflect_padded(blocks: Iterable[np.ndarray], pad: int) -> Iterator[np.ndarray]:
    """Reflect-pad the signal by `pad` samples at each end; a signal shorter than `pad` is reflected repeatedly."""
    blocks = iter(blocks)
    end = _take_samples(blocks, pad + 1)
    if end is None:
        raise ValueError("the signal has no blocks")
    if end.shape[1] <= pad:
        yield np.pad(end, ((0, 0), (pad, pad)), mode="reflect")
        return
    yield end[:, pad:0:-1]
    yield end
    for block in blocks:
        yield block
        end = np.concatenate([end[:, -pad - 1 :], block[:, -pad - 1 :]], axis=1)
    yield end[:, -2 : -pad - 2 : -1]


def _take_samples(blocks: Iterator[np.ndarray], nb_samples: int) -> np.ndarray | None:
    """Join the next blocks up to at least `nb_samples` samples, fewer at the end; None if no block is left."""
    gathered, nb_gathered = [], 0
    for block in blocks:
        gathered.append(block)
        nb_gathered += block.shape[1]
        if nb_gathered >= nb_samples:
            break
    return np.concatenate(gathered, axis=1) if gathered else None


def spectrum(samples: Tensor, n_fft: int, n_hop: int) -> Tensor:
    """Compute the STFT of a window.

    Args:
        samples: (nb_channels, nb_samples) of a window from `cut_windows`.
        n_fft: number of samples in a frame.
        n_hop: number of samples between frames.
    Returns:
        complex (nb_channels, nb_frames, nb_bins), with nb_bins = n_fft // 2 + 1.
    """
    frames = samples.unfold(-1, n_fft, n_hop)
    hann = _hann(n_fft, samples.device)
    out = torch.empty((*frames.shape[:-1], n_fft // 2 + 1), dtype=torch.complex64, device=samples.device)
    for part, frames_of_part in zip(
        torch.split(out, FRAMES_AT_ONCE, 1), torch.split(frames, FRAMES_AT_ONCE, 1), strict=True
    ):
        part[:] = torch.fft.rfft(frames_of_part * hann)
    return out


def power(spectra: Tensor) -> Tensor:
    """Compute squared magnitudes, real and of the same shape; several times as fast as torch's `abs`."""
    return spectra.real.square().addcmul_(spectra.imag, spectra.imag)


def waveform(spectra: Tensor, n_fft: int, n_hop: int) -> Tensor:
    """Invert `spectrum`, except for the division by the envelope, which `overlap_add` does.

    Args:
        spectra: complex (..., nb_frames, nb_bins).
        n_fft: number of samples in a frame.
        n_hop: number of samples between frames.
    Returns:
        samples (..., (nb_frames - 1) * n_hop + n_fft).
    """
    nb_frames = spectra.shape[-2]
    hann = _hann(n_fft, spectra.device)
    out = spectra.real.new_zeros((*spectra.shape[:-2], (nb_frames - 1) * n_hop + n_fft))
    for start in range(0, nb_frames, FRAMES_AT_ONCE):
        frames = torch.fft.irfft(spectra[..., start : start + FRAMES_AT_ONCE, :], n=n_fft) * hann
        _add_overlapping(out[..., start * n_hop :], frames, n_hop)
    return out


def _add_overlapping(out: Tensor, frames: Tensor, n_hop: int) -> None:
    nb_frames, n_fft = frames.shape[-2:]
    for shift in range(0, n_fft, n_hop):
        part = frames[..., shift : shift + n_hop]
        rows = out[..., shift:].unfold(-1, part.shape[-1], n_hop)[..., :nb_frames, :]
        rows += part


@torch.inference_mode()
def overlap_add(windows: Iterable[Tensor], n_fft: int, n_hop: int) -> Iterator[Tensor]:
    """Add up overlapping windows of `waveform`, on the CPU, and divide by the envelope, both in place.

    Yields:
        consecutive samples (..., nb_samples) of the signal, followed by n_fft // 2 samples of reflect padding.
    """
    nb_mirrored = n_fft // 2
    tail = envelope_tail = torch.zeros(n_fft - n_hop)
    for window in windows:
        nb_whole = window.shape[-1] - n_fft + n_hop
        window[..., : tail.shape[-1]] += tail
        envelope = _envelope(nb_whole // n_hop, n_fft, n_hop).clone()
        envelope[: tail.shape[-1]] += envelope_tail
        tail, envelope_tail = window[..., nb_whole:].clone(), envelope[nb_whole:]
        yield window[..., :nb_whole].div_(envelope[:nb_whole])[..., nb_mirrored:]
        nb_mirrored = max(nb_mirrored - nb_whole, 0)
    yield (tail / envelope_tail)[..., nb_mirrored:]


@lru_cache(maxsize=4)
def _envelope(nb_frames: int, n_fft: int, n_hop: int) -> Tensor:
    """Sum of the squared Hann windows of `nb_frames` frames."""
    envelope = torch.zeros((nb_frames - 1) * n_hop + n_fft)
    _add_overlapping(envelope, _hann(n_fft, envelope.device).square().expand(nb_frames, -1), n_hop)
    return envelope


@lru_cache(maxsize=4)
def _hann(n_fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, device=device)
