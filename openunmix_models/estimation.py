"""Estimate the targets of a signal of any length in bounded memory: the passes that all models share.

First pass: the model encodes the STFT window by window, to disk. Second pass: the model processes these data. Third
pass: the signal is read again; the model's masks, the Wiener filter and the inverse STFT are applied window by window.
No more than a few windows of a spectrogram are in memory at a time.
The estimates of Open-Unmix's networks equal those of `openunmix.model.Separator` (Open-Unmix 1.3.0).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .masks import FRAMES_AT_ONCE, Model, Progress, Workspace
from .stft import count_frames, cut_windows, overlap_add, power, spectrum, waveform
from .wiener import separate_window
from .workers import Workers

MAX_SPECTROGRAMS = 4  # number of windows in progress times targets; each takes 10 MB, and as much for the work


@dataclass(frozen=True)
class Signal:
    """Audio at the model's sample rate that can be read more than once: `blocks()` yields consecutive blocks of shape
    (nb_channels, any number of samples). `nb_samples` is the expected length, for the progress."""

    blocks: Callable[[], Iterable[np.ndarray]]
    nb_channels: int
    nb_samples: int

    @property
    def nb_pairs(self) -> int:
        """Number of pairs of channels."""
        return (self.nb_channels + 1) // 2

    @property
    def paired_channels(self) -> list[int]:
        """The channels of all pairs; an odd last channel is paired with itself."""
        return [min(channel, self.nb_channels - 1) for channel in range(2 * self.nb_pairs)]


@dataclass(frozen=True)
class Refinement:
    """The Wiener filter's parameters, as in Open-Unmix; `wiener_win_len` None or 0 is one window over all frames."""

    niter: int = 1
    residual: bool = False
    wiener_win_len: int | None = 300

    def window_length(self, nb_frames: int) -> int:
        """Return the frames per window of a signal of `nb_frames`."""
        return (self.wiener_win_len or nb_frames) if self.niter else FRAMES_AT_ONCE


def estimate(
    signal: Signal, model: Model, targets: Sequence[str], refinement: Refinement, folder: Path, progress: Progress
) -> Generator[np.ndarray, None, None]:
    """Estimate the targets of a signal.

    Args:
        signal: audio at the model's sample rate.
        model: loaded model.
        targets: names of the targets.
        refinement: the Wiener filter's parameters.
        folder: folder of temporary files, of `scratch_bytes` bytes.
        progress: called with the progress, 0 to 1; an exception that it raises cancels the estimation.
    Yields:
        consecutive blocks (nb_targets, nb_channels, nb_samples), float32, as long in total as the signal.
    """
    first, second, third = (sum(model.pass_seconds[:number]) / sum(model.pass_seconds) for number in (1, 2, 3))
    with ExitStack() as stack, Workers(model.device) as pool:
        workspace = Workspace(signal.nb_pairs, folder, pool, stack)
        passes = _Passes(signal, model, targets, refinement, workspace)
        passes.encode(_stage(progress, 0.0, first))
        passes.finish(_stage(progress, first, second))
        yield from passes.estimates(_stage(progress, second, third))


def scratch_bytes(signal: Signal, model: Model, targets: Sequence[str]) -> tuple[int, int]:
    """Return the disk space that `estimate` needs.

    Args:
        signal: the mixture; only its length and its number of channels are used.
        model: the loaded model.
        targets: names of the targets.
    Returns:
        bytes that are needed until its end, and bytes that are additionally needed before its first block.
    """
    nb_frames = signal.nb_pairs * count_frames(signal.nb_samples, model.settings.n_hop)
    lasting, passing = model.scratch_bytes(targets)
    return lasting * nb_frames, passing * nb_frames


class _Passes:
    """The three passes over one signal: `encode`, `finish`, `estimates`."""

    def __init__(
        self, signal: Signal, model: Model, targets: Sequence[str], refinement: Refinement, workspace: Workspace
    ):
        self._signal, self._model, self._refinement = signal, model, refinement
        self._nb_targets, self._pool = len(targets), workspace.pool
        self._masks = model.estimator(targets, workspace)
        self._nb_samples = 0  # counted while reading

    @property
    def _nb_frames(self) -> int:
        """Number of frames of the whole signal, once it has been read."""
        return count_frames(self._nb_samples, self._model.settings.n_hop)

    def encode(self, progress: Progress) -> None:
        """First pass: encode all frames, window by window."""
        nb_expected = count_frames(self._signal.nb_samples, self._model.settings.n_hop)
        windows = self._windows(self._model.nb_frames, self._model.overlap)
        for start, stop, encoded in self._pool.in_order(self._encode_window, windows):
            self._masks.store(start, encoded)
            progress(min(stop / nb_expected, 1.0))

    def finish(self, progress: Progress) -> None:
        """Second pass: let the model process the encoded signal."""
        self._masks.finish(self._nb_frames, progress)

    def estimates(self, progress: Progress) -> Iterator[np.ndarray]:
        """Third pass: apply masks, Wiener filter and inverse STFT."""
        nb_left, nb_samples = self._nb_samples, self._nb_samples
        length = self._refinement.window_length(self._nb_frames)
        windows = self._pool.in_order(
            self._estimate_window, self._windows(length), MAX_SPECTROGRAMS // self._nb_targets
        )
        settings = self._model.settings
        for samples in overlap_add(windows, settings.n_fft, settings.n_hop):
            yield self._unpaired(samples[..., :nb_left])
            nb_left = max(nb_left - samples.shape[-1], 0)
            progress(1 - nb_left / nb_samples)

    def _windows(self, nb_frames: int, overlap: int = 0) -> Iterator[tuple[int, Tensor]]:
        """Yield each window's first frame and its samples, (2 * nb_pairs, nb_samples)."""
        settings = self._model.settings
        windows = cut_windows(self._paired_blocks(), settings.n_fft, settings.n_hop, nb_frames, overlap)
        for number, window in enumerate(windows):
            yield number * (nb_frames - overlap), torch.from_numpy(window)

    def _paired_blocks(self) -> Iterator[np.ndarray]:
        nb_samples = 0
        for block in self._signal.blocks():
            nb_samples += block.shape[1]
            yield block[self._signal.paired_channels]
        self._nb_samples = nb_samples

    @torch.inference_mode()
    def _encode_window(self, start: int, samples: Tensor) -> tuple[int, int, object]:
        """Return the window's first frame, the frame after its last, and the result of the model's `encode`."""
        magnitudes = power(self._spectrum(samples)).sqrt_()
        return start, start + magnitudes.shape[1], self._masks.encode(start, magnitudes)

    @torch.inference_mode()
    def _estimate_window(self, start: int, samples: Tensor) -> Tensor:
        """Estimates before the overlap-add, (nb_targets, 2 * nb_pairs, nb_samples)."""
        mix_stft = self._spectrum(samples)
        pairs = zip(self._masks.masks(start, mix_stft), torch.split(mix_stft, 2), strict=True)
        estimates = [self._estimate_pair(masks, pair) for masks, pair in pairs]
        return (torch.cat(estimates, dim=1) if len(estimates) > 1 else estimates[0]).cpu()

    def _estimate_pair(self, masks: Iterator[Tensor], mix_stft: Tensor) -> Tensor:
        settings, refinement = self._model.settings, self._refinement
        estimates = separate_window(masks, mix_stft, refinement.niter, refinement.residual, settings.wiener_exponent)
        return waveform(estimates, settings.n_fft, settings.n_hop)

    def _spectrum(self, samples: Tensor) -> Tensor:
        settings = self._model.settings
        return spectrum(samples.to(self._model.device), settings.n_fft, settings.n_hop)

    def _unpaired(self, estimates: Tensor) -> np.ndarray:
        """Convert (nb_targets, 2 * nb_pairs, nb_samples) to the signal's channels; average a doubled channel."""
        nb_channels = self._signal.nb_channels
        if nb_channels % 2:
            estimates = torch.cat([estimates[:, :-2], estimates[:, -2:].mean(1, keepdim=True)], dim=1)
        return estimates.numpy()


def _stage(progress: Progress, start: float, stop: float) -> Progress:
    """Map the progress of one stage, 0 to 1, to `start` to `stop` of the whole."""
    return lambda part: progress(start + (stop - start) * part)
