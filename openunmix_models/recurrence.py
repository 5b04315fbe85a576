"""Run a bidirectional LSTM layer over a sequence on disk, block by block, both directions in parallel.

The state is passed from block to block, so the result equals that of one run over the whole sequence."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import torch
from torch import Tensor

from .scratch import Scratch

FRAMES_AT_ONCE = 1024


def run_layer(
    lstms: Sequence[torch.nn.LSTM],
    inputs: Sequence[Scratch],
    outputs: Sequence[Scratch],
    nb_frames: int,
    pool: Executor,
) -> Iterator[int]:
    """Run one layer, forward by `lstms[0]` into `outputs[0]`, backward by `lstms[1]` into `outputs[1]`.

    Args:
        lstms: the layer's forward and backward LSTM.
        inputs: sequences (nb_frames, nb_pairs, size), which are concatenated along the last axis.
        outputs: sequences for the forward and the backward output.
        nb_frames: length of the sequences.
        pool: threads.
    Yields:
        the number of frames that are done.
    """
    blocks = [(start, min(start + FRAMES_AT_ONCE, nb_frames)) for start in range(0, nb_frames, FRAMES_AT_ONCE)]
    forward = _Direction(lstms[0], inputs, outputs[0], backward=False)
    backward = _Direction(lstms[1], inputs, outputs[1], backward=True)
    for early, late in zip(blocks, reversed(blocks), strict=True):
        steps = [pool.submit(forward.run, *early), pool.submit(backward.run, *late)]
        for step in steps:
            step.result()
        yield early[1]


class _Direction:
    """One direction of a layer, with its current state."""

    def __init__(self, lstm: torch.nn.LSTM, inputs: Sequence[Scratch], output: Scratch, backward: bool):
        self._lstm, self._inputs, self._output, self._backward = lstm, inputs, output, backward
        self._device = next(lstm.parameters()).device
        self._state: tuple[Tensor, Tensor] | None = None

    @torch.inference_mode()
    def run(self, start: int, stop: int) -> None:
        x = read_joined(self._inputs, start, stop).to(self._device)
        y, self._state = self._lstm(self._in_direction(x), self._state)
        self._output.write(start, self._in_direction(y))

    def _in_direction(self, x: Tensor) -> Tensor:
        return x.flip(0) if self._backward else x


def read_joined(sequences: Sequence[Scratch], start: int, stop: int) -> Tensor:
    """Read frames `start` to `stop` of sequences, concatenated along the last axis: (stop - start, nb_pairs, size)."""
    return torch.cat([sequence.read(start, stop) for sequence in sequences], dim=-1)
