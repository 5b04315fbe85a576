"""WAV files written by hand, so that a test can say what is wrong with them."""

import io
import struct

import numpy as np
import soundfile

UNKNOWN = 0xFFFFFFFF


def samples(nb_samples: int = 2000, nb_channels: int = 2) -> np.ndarray:
    """A quiet tone, (nb_samples, nb_channels) as soundfile has it."""
    tone = 0.25 * np.sin(2 * np.pi * 440 / 44100 * np.arange(nb_samples))
    return np.stack([tone] * nb_channels, axis=1)


def written(sample_rate: int = 44100, nb_channels: int = 2, nb_samples: int = 2000, **options: str) -> bytes:
    """What soundfile writes with `options`, a WAV unless told otherwise."""
    file = io.BytesIO()
    soundfile.write(file, samples(nb_samples, nb_channels), sample_rate, **({"format": "WAV"} | options))
    return file.getvalue()


def wave(data: bytes = b"\x01\x02" * 2000, data_length: int | None = None, riff_length: int | None = None) -> bytes:
    """16 bit stereo with `data`, and what its head says of lengths, the truth unless told otherwise."""
    data_length = len(data) if data_length is None else data_length
    riff_length = 36 + len(data) if riff_length is None else riff_length
    format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", riff_length, b"WAVE")
        + format_
        + struct.pack("<4sI", b"data", data_length)
        + data
    )


def rf64(data: bytes = b"\x01\x02" * 2000, promised: int | None = None) -> bytes:
    """The same as RF64 (EBU Tech 3306), whose lengths have 64 bits."""
    promised = len(data) if promised is None else promised
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 72 + promised, promised, promised // 4, 0)
    format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    head = struct.pack("<4sI4s", b"RF64", UNKNOWN, b"WAVE") + sizes + format_
    return head + struct.pack("<4sI", b"data", UNKNOWN) + data
