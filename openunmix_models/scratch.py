"""Long sequences in a file that has no name: it takes no memory, and is gone when the process is, however it ended."""

import math
import tempfile
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor


class Scratch:
    """A float32 sequence of shape (nb_frames, *shape) on disk, written and read in blocks of frames, from any thread.

    A context: it gives the room on the disk back.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._shape = shape
        self._frame_bytes = 4 * math.prod(shape)
        self._lock = Lock()  # a place in the file belongs to one thread at a time

    def write(self, start: int, frames: Tensor) -> None:
        """Put frames of shape (nb_frames, *shape) from frame `start` on."""
        with self._lock:
            self._file.seek(start * self._frame_bytes)
            self._file.write(frames.cpu().contiguous().numpy().data)

    def read(self, start: int, stop: int) -> Tensor:
        """Frames `start` to `stop`, shape (stop - start, *shape)."""
        frames = torch.empty((stop - start, *self._shape))
        with self._lock:
            self._file.seek(start * self._frame_bytes)
            self._file.readinto(frames.numpy().data.cast("B"))
        return frames

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()
