"""Interface of a model: it estimates masks, and the STFT of the mixture times a mask estimates a target.

`estimation` runs every model in three passes (`MaskEstimator`): `encode` and `store` over the signal in windows,
`finish` over the data that these stored on disk, then `masks` over the signal again. No model keeps more than a
window in memory between the passes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .scratch import Scratch
from .settings import Settings
from .workers import Workers

FRAMES_AT_ONCE = 256  # default length of a window
BINS_AT_ONCE = 128  # with 300 frames, the Wiener filter's working set is about 4 MB, which fits the CPU's cache

Progress = Callable[[float], None]


@dataclass
class Workspace:
    """Resources for one signal of `nb_pairs` pairs of channels: threads, and scratch files in `folder`, which `stack`
    closes."""

    nb_pairs: int
    folder: Path
    pool: Workers
    stack: ExitStack

    def sequence(self, *shape: int, half: bool = False) -> Scratch:
        """Create a sequence of frames on disk, each of shape (nb_pairs, *shape); `half` stores float16."""
        return self.stack.enter_context(Scratch(self.folder, (self.nb_pairs, *shape), half))


class Model(ABC):
    """A loaded model: `settings`, and the `device` that it computes on."""

    settings: Settings
    device: str
    pass_seconds: tuple[float, float, float]  # relative duration of each pass, for the progress
    nb_frames: int = FRAMES_AT_ONCE  # of a window of the first pass
    overlap: int = 0  # frames that consecutive windows of the first pass share

    @abstractmethod
    def estimator(self, targets: Sequence[str], workspace: Workspace) -> "MaskEstimator":
        """Create the estimator of the masks of `targets` for one signal.

        Args:
            targets: names of targets of this model.
            workspace: where the estimator stores sequences and runs jobs; it must stay open while it is used.
        """

    @abstractmethod
    def scratch_bytes(self, targets: Sequence[str]) -> tuple[int, int]:
        """Return the disk space for each frame of a pair of channels, in bytes: used until the end, and only before the
        third pass."""

    @property
    def progress_before_estimates(self) -> float:
        """Progress when the third pass begins, 0 to 1."""
        return sum(self.pass_seconds[:2]) / sum(self.pass_seconds)


class MaskEstimator(ABC):
    """The masks of one signal, whose channels come in pairs."""

    @abstractmethod
    def encode(self, start: int, magnitudes: Tensor) -> Any:
        """First pass, in any thread: process a window of the mixture's magnitudes, whose first frame is `start`.

        Args:
            start: number of the window's first frame.
            magnitudes: real (2 * nb_pairs, nb_frames, nb_bins).
        Returns:
            the value that `store` is called with; its type is the model's own.
        """

    @abstractmethod
    def store(self, start: int, encoded: Any) -> None:
        """First pass, in the order of the windows: write the result of `encode` to disk."""

    @abstractmethod
    def finish(self, nb_frames: int, progress: Progress) -> None:
        """Second pass, over all `nb_frames` of the signal."""

    @abstractmethod
    def masks(self, start: int, mix_stft: Tensor) -> list[Iterator[Tensor]]:
        """Third pass, in any thread, for a window of the mixture's STFT, complex (2 * nb_pairs, nb_frames, nb_bins).

        Returns:
            for each pair, an iterator over the bins, BINS_AT_ONCE at a time: real (nb_targets, 2, nb_frames, those
            bins).
        """
