"""The estimates of `openunmix.model.Separator`, exactly, for signals of any length in little memory.

Three passes. The signal goes through the STFT in windows, and each network's first layer makes of every frame a few
hundred features, which go to disk. The recurrent layers run over these, one after the other. Then the signal is read
again: the networks' last layers say which part of each bin is whose, the Wiener filter refines it, and the inverse STFT
makes samples of it, window by window. Nothing as wide as a spectrogram exists for more than a window.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .network import BINS_AT_ONCE, Model, Network
from .recurrence import read_joined, run_layer
from .scratch import Scratch
from .stft import count_frames, cut_windows, overlap_add, power, spectrum, waveform
from .wiener import separate_window

FRAMES_AT_ONCE = 256  # where the Wiener filter does not say how many
MOST_WORKERS = 4
MOST_SPECTROGRAMS = 4  # windows being estimated times their targets: 10 MB each, and as much again to work on

ENCODED, RECURRED = 0.1, 0.4  # of the whole work, when the first and the second pass are done

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Signal:
    """Audio at the model's rate that can be read more than once: `blocks()` gives it in consecutive blocks of shape
    (nb_channels, any number of samples). `nb_samples` is what is expected, for the progress."""

    blocks: Callable[[], Iterable[np.ndarray]]
    nb_channels: int
    nb_samples: int

    @property
    def nb_pairs(self) -> int:
        """How many pairs of channels the networks take."""
        return (self.nb_channels + 1) // 2

    @property
    def paired_channels(self) -> list[int]:
        """The channels two by two: one that has no partner is its own."""
        return [min(channel, self.nb_channels - 1) for channel in range(2 * self.nb_pairs)]


@dataclass(frozen=True)
class Refinement:
    """The Wiener filter's parameters, as in Open-Unmix; `wiener_win_len` None or 0 is one window over all frames."""

    niter: int = 1
    residual: bool = False
    wiener_win_len: int | None = 300

    def window_length(self, nb_frames: int) -> int:
        """Frames of a window of a signal of `nb_frames`."""
        return (self.wiener_win_len or nb_frames) if self.niter else FRAMES_AT_ONCE


def estimate(
    signal: Signal, model: Model, targets: Sequence[str], refinement: Refinement, folder: Path, progress: Progress
) -> Iterator[np.ndarray]:
    """Estimate the targets: consecutive blocks of shape (nb_targets, nb_channels, nb_samples) float32, in all as many
    samples as the signal has.

    What lies on disk meanwhile (`scratch_bytes`) lies in `folder`. `progress` is called with the part that is done, 0
    to 1; what it raises ends the work.
    """
    with ExitStack() as stack, _Workers(model.device) as pool:
        networks = [model.networks[target] for target in targets]
        passes = _Passes(signal, model, networks, refinement, folder, pool, stack)
        passes.encode(_stage(progress, 0.0, ENCODED))
        passes.recur(_stage(progress, ENCODED, RECURRED))
        yield from passes.estimates(_stage(progress, RECURRED, 1.0))


def scratch_bytes(signal: Signal, model: Model, targets: Sequence[str]) -> tuple[int, int]:
    """Disk that `estimate` needs: to its end, for the features of each target, and before its first block, for the
    outputs of two layers."""
    sizes = [model.networks[target].hidden_size for target in targets]
    bytes_a_number = 4 * signal.nb_pairs * count_frames(signal.nb_samples, model.n_hop)
    return sum(sizes) * bytes_a_number, 2 * max(sizes) * bytes_a_number


class _Passes:
    """The three passes over one signal: `encode`, `recur`, `estimates`."""

    def __init__(
        self,
        signal: Signal,
        model: Model,
        networks: Sequence[Network],
        refinement: Refinement,
        folder: Path,
        pool: "_Workers",
        stack: ExitStack,
    ):
        self._signal, self._model, self._networks, self._refinement = signal, model, networks, refinement
        self._folder, self._pool = folder, pool
        self._features = [self._sequence(network.hidden_size, stack) for network in networks]
        self._nb_samples = 0  # counted as they are read

    @property
    def _nb_frames(self) -> int:
        """Of the whole signal, once it has been read."""
        return count_frames(self._nb_samples, self._model.n_hop)

    def encode(self, progress: Progress) -> None:
        """First pass: each network's features of all frames."""
        nb_expected = count_frames(self._signal.nb_samples, self._model.n_hop)
        for nb_done in self._pool.in_order(self._encode_window, self._windows(FRAMES_AT_ONCE)):
            progress(min(nb_done / nb_expected, 1.0))

    def recur(self, progress: Progress) -> None:
        """Second pass: each network's recurrent layers and the narrow layer after them, from its features to these."""
        nb_networks = len(self._networks)
        for done, (network, features) in enumerate(zip(self._networks, self._features, strict=True)):
            self._recur_one(network, features, _stage(progress, done / nb_networks, (done + 1) / nb_networks))

    def estimates(self, progress: Progress) -> Iterator[np.ndarray]:
        """Third pass: masks, Wiener filter, inverse STFT."""
        nb_left, nb_samples = self._nb_samples, self._nb_samples
        length = self._refinement.window_length(self._nb_frames)
        most = MOST_SPECTROGRAMS // len(self._networks)
        windows = self._pool.in_order(self._estimate_window, self._windows(length), most)
        for samples in overlap_add(windows, self._model.n_fft, self._model.n_hop):
            yield self._unpaired(samples[..., :nb_left])
            nb_left = max(nb_left - samples.shape[-1], 0)
            progress(1 - nb_left / nb_samples)

    def _sequence(self, size: int, stack: ExitStack) -> Scratch:
        return stack.enter_context(Scratch(self._folder, (self._signal.nb_pairs, size)))

    def _windows(self, nb_frames: int) -> Iterator[tuple[int, Tensor]]:
        """Each window's first frame, and its samples, (2 * nb_pairs, nb_samples)."""
        windows = cut_windows(self._paired_blocks(), self._model.n_fft, self._model.n_hop, nb_frames)
        for number, window in enumerate(windows):
            yield number * nb_frames, torch.from_numpy(window)

    def _paired_blocks(self) -> Iterator[np.ndarray]:
        nb_samples = 0
        for block in self._signal.blocks():
            nb_samples += block.shape[1]
            yield block[self._signal.paired_channels]
        self._nb_samples = nb_samples

    @torch.inference_mode()
    def _encode_window(self, start: int, samples: Tensor) -> int:
        """Write each network's features, (nb_frames, nb_pairs, hidden_size). Gives the frame that follows."""
        nb_bins = max(network.nb_bins for network in self._networks)
        magnitudes = power(self._spectrum(samples)[..., :nb_bins]).sqrt_()
        pairs = [self._heard(pair) for pair in magnitudes.split(2)]
        for network, features in zip(self._networks, self._features, strict=True):
            features.write(start, torch.stack([network.encode(pair) for pair in pairs], dim=1))
        return start + magnitudes.shape[1]

    def _recur_one(self, network: Network, features: Scratch, progress: Progress) -> None:
        with ExitStack() as stack:
            half = network.hidden_size // 2
            buffers = [[self._sequence(half, stack) for _direction in range(2)] for _layer in range(2)]
            inputs = [features]
            for depth, (layer, outputs) in enumerate(zip(network.layers, cycle(buffers), strict=False)):
                for nb_done in run_layer(layer, inputs, outputs, self._nb_frames, self._pool):
                    progress((depth + nb_done / self._nb_frames) / len(network.layers))
                inputs = outputs
            blocks = ((network, features, inputs, start) for start in range(0, self._nb_frames, FRAMES_AT_ONCE))
            for _ in self._pool.in_order(self._decode_block, blocks):
                pass

    @torch.inference_mode()
    def _decode_block(self, network: Network, features: Scratch, recurrent: Sequence[Scratch], start: int) -> None:
        stop = min(start + FRAMES_AT_ONCE, self._nb_frames)
        encoded, layered = (read_joined(part, start, stop).to(self._model.device) for part in ([features], recurrent))
        features.write(start, network.decode(encoded, layered))

    @torch.inference_mode()
    def _estimate_window(self, start: int, samples: Tensor) -> Tensor:
        """Estimates before the overlap-add, (nb_targets, 2 * nb_pairs, nb_samples)."""
        mix_stft = self._spectrum(samples)
        decoded = [features.read(start, start + mix_stft.shape[1]) for features in self._features]
        estimates = [
            self._estimate_pair([frames[:, number] for frames in decoded], pair)
            for number, pair in enumerate(mix_stft.split(2))
        ]
        return (torch.cat(estimates, dim=1) if len(estimates) > 1 else estimates[0]).cpu()

    def _estimate_pair(self, decoded: Sequence[Tensor], mix_stft: Tensor) -> Tensor:
        niter, residual = self._refinement.niter, self._refinement.residual
        estimates = separate_window(self._masks(decoded, mix_stft), mix_stft, niter, residual)
        return waveform(estimates, self._model.n_fft, self._model.n_hop)

    def _spectrum(self, samples: Tensor) -> Tensor:
        return spectrum(samples.to(self._model.device), self._model.n_fft, self._model.n_hop)

    def _heard(self, magnitudes: Tensor) -> Tensor:
        """A pair's magnitudes (2, nb_frames, nb_bins) as the network takes them: a mono network hears their mean."""
        return magnitudes.mean(0, keepdim=True) if self._model.nb_channels == 1 else magnitudes

    def _masks(self, decoded: Sequence[Tensor], mix_stft: Tensor) -> Iterator[Tensor]:
        """What each target's share of the pair's STFT is, (nb_targets, 2, nb_frames, a few bins) after the other."""
        frames = [part.to(mix_stft.device) for part in decoded]
        groups = zip(*(net.masks(part) for net, part in zip(self._networks, frames, strict=True)), strict=True)
        if self._model.nb_channels == 2:
            yield from (torch.stack(group) for group in groups)
        else:  # they tell magnitudes of the mean of both channels: as shares of each channel's magnitude
            magnitudes = power(mix_stft).sqrt_()
            ratios = self._heard(magnitudes) / magnitudes.clamp(min=torch.finfo(torch.float32).tiny)
            for group, ratio in zip(groups, ratios.split(BINS_AT_ONCE, dim=-1), strict=True):
                yield torch.stack(group) * ratio

    def _unpaired(self, estimates: Tensor) -> np.ndarray:
        """(nb_targets, 2 * nb_pairs, nb_samples) to the signal's own channels; both of a doubled channel, averaged."""
        nb_channels = self._signal.nb_channels
        if nb_channels % 2:
            estimates = torch.cat([estimates[:, :-2], estimates[:, -2:].mean(1, keepdim=True)], dim=1)
        return estimates.numpy()


class _Workers(ThreadPoolExecutor):
    """Threads that compute side by side, each alone with its work: threads within one operation would wait for each
    other most of the time. A context: in it, the thread that waits for them computes alone as well."""

    def __init__(self, device: str):
        nb_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._nb_workers = max(2, min(nb_cores, MOST_WORKERS)) if device == "cpu" else 2
        super().__init__(self._nb_workers, initializer=torch.set_num_threads, initargs=(1,))

    def in_order(self, function: Callable, jobs: Iterable[tuple], most: int = MOST_WORKERS) -> Iterator:
        """Results of `function(*job)` in the order of the jobs; the next few, at most `most`, are always in work."""
        nb_at_once = max(1, min(most, self._nb_workers + 1))
        running = deque()
        for job in jobs:
            done = [running.popleft().result()] if len(running) == nb_at_once else []
            running.append(self.submit(function, *job))
            yield from done
        while running:
            yield running.popleft().result()

    def __enter__(self) -> "_Workers":
        self._nb_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_) -> None:
        self.shutdown(cancel_futures=True)
        torch.set_num_threads(self._nb_threads)


def _stage(progress: Progress, start: float, stop: float) -> Progress:
    """Progress of a part of the work that takes from `start` to `stop` of the whole."""
    return lambda part: progress(start + (stop - start) * part)
