"""Resampling of a signal that comes in blocks, by the SoX resampler."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr


def resampled(blocks: Iterable[np.ndarray], nb_channels: int, from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """The signal in blocks (nb_channels, nb_samples) float32 at another rate; at the same rate, the same blocks.

    What is shorter than a sample of the new rate becomes one of silence.
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
