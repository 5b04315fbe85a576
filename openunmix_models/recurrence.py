"""A recurrent layer over a sequence that lies on disk: its two directions side by side, in blocks that hand their state
on. The result is that of the layer run over the whole sequence at once."""

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

    Sequences are of shape (nb_frames, nb_pairs, size); the layer's input is `inputs` side by side. Yields how many
    frames are done.
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
    """One direction of a layer, and its state where it has come to."""

    def __init__(self, lstm: torch.nn.LSTM, inputs: Sequence[Scratch], output: Scratch, backward: bool):
        self._lstm, self._inputs, self._output, self._backward = lstm, inputs, output, backward
        self._state = None

    @torch.inference_mode()
    def run(self, start: int, stop: int) -> None:
        x = read_joined(self._inputs, start, stop).to(self._lstm.weight_hh_l0.device)
        y, self._state = self._lstm(self._turned(x), self._state)
        self._output.write(start, self._turned(y))

    def _turned(self, x: Tensor) -> Tensor:
        return x.flip(0) if self._backward else x


def read_joined(sequences: Sequence[Scratch], start: int, stop: int) -> Tensor:
    """Frames `start` to `stop` of sequences that lie side by side."""
    return torch.cat([sequence.read(start, stop) for sequence in sequences], dim=-1)
