"""Decoding by FFmpeg's program, which is not the code under test, and comparing what it gives."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

NEEDS_FFMPEG = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no FFmpeg is installed")


def decoded(path: Path, nb_channels: int) -> np.ndarray:
    """The samples that FFmpeg decodes from a file, (nb_samples, nb_channels), full scale 1."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "f64le", "-"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(ran.stdout).reshape(-1, nb_channels)


def probed(path: Path, entries: str) -> str:
    """What ffprobe says of these entries of a file, as lines of "name=value"."""
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "default=noprint_wrappers=1", str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def offset(samples: np.ndarray, others: np.ndarray) -> int:
    """By how many samples the first channel of `others` is late."""
    length = 1 << int(np.ceil(np.log2(len(samples) + len(others))))
    spectrum = np.conj(np.fft.rfft(samples[:, 0], length)) * np.fft.rfft(others[:, 0], length)
    position = int(np.argmax(np.fft.irfft(spectrum)))
    return position if position < length // 2 else position - length


def snr(samples: np.ndarray, others: np.ndarray) -> float:
    """The ratio of `samples` to their difference from `others`, in dB, over all channels."""
    return 10 * float(np.log10((samples**2).sum() / max(((others - samples) ** 2).sum(), 1e-30)))
