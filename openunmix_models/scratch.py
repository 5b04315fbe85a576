"""Sequences in a temporary file without a name, which the system deletes when the process ends, however it ends."""

import math
import tempfile
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor


class Scratch:
    """A sequence of shape (nb_frames, *shape) on disk, written and read in blocks of frames, from any thread.

    It stores float32, or float16 if `half` is true. As a context manager, it frees its disk space.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], half: bool = False):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._shape = shape
        self._dtype = torch.float16 if half else torch.float32
        self._frame_bytes = self._dtype.itemsize * math.prod(shape)
        self._lock = Lock()  # guards the file's position

    def write(self, start: int, frames: Tensor) -> None:
        """Write frames of shape (nb_frames, *shape), beginning at frame `start`."""
        content = frames.to("cpu", self._dtype).contiguous().numpy()
        with self._lock:
            self._file.seek(start * self._frame_bytes)
            self._file.write(content.data)

    def read(self, start: int, stop: int) -> Tensor:
        """Read frames `start` to `stop`, float32 of shape (stop - start, *shape)."""
        frames = torch.empty((stop - start, *self._shape), dtype=self._dtype)
        with self._lock:
            self._file.seek(start * self._frame_bytes)
            self._file.readinto(frames.numpy().data.cast("B"))
        return frames.float()

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
