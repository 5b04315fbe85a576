"""Streaming resampling with the SoX resampler (soxr, quality HQ)."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr


def resampled(blocks: Iterable[np.ndarray], nb_channels: int, from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """Resample a signal that is given in blocks.

    Args:
        blocks: consecutive blocks (nb_channels, nb_samples), float32.
        nb_channels: number of channels.
        from_rate: sample rate of the blocks in Hz.
        to_rate: wanted sample rate in Hz; if equal, the blocks are returned unchanged.
    Yields:
        blocks (nb_channels, nb_samples), float32; at least one sample in all, which is 0 if the signal is shorter.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(from_rate, to_rate, nb_channels, dtype="float32", quality="HQ")
    nb_samples = 0
    for block in blocks:
        resampled_block = stream.resample_chunk(np.ascontiguousarray(block.T)).T
        nb_samples += resampled_block.shape[1]
        yield resampled_block
    end = stream.resample_chunk(np.empty((0, nb_channels), np.float32), last=True).T
    yield end if nb_samples + end.shape[1] else np.zeros((nb_channels, 1), np.float32)
