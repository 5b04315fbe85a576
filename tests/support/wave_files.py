"""Audio files as bytes: encoded by libsndfile, or with headers written by hand, so that they can be wrong."""

import io
import struct

import numpy as np
import soundfile

UNKNOWN_LENGTH = 0xFFFFFFFF


def tone(nb_samples: int = 2000, nb_channels: int = 2) -> np.ndarray:
    """A quiet tone of 440 Hz, (nb_samples, nb_channels) as soundfile has it."""
    samples = 0.25 * np.sin(2 * np.pi * 440 / 44100 * np.arange(nb_samples))
    return np.stack([samples] * nb_channels, axis=1)


def encoded(sample_rate: int = 44100, nb_channels: int = 2, nb_samples: int = 2000, **options: str) -> bytes:
    """A tone as soundfile writes it with `options`; WAV by default."""
    file = io.BytesIO()
    soundfile.write(file, tone(nb_samples, nb_channels), sample_rate, **({"format": "WAV"} | options))
    return file.getvalue()


def wav(data: bytes = b"\x01\x02" * 2000, data_length: int | None = None, riff_length: int | None = None) -> bytes:
    """A 16-bit stereo WAV of `data`. The lengths in its header are the true ones by default."""
    data_length = len(data) if data_length is None else data_length
    riff_length = 36 + len(data) if riff_length is None else riff_length
    format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", riff_length, b"WAVE")
        + format_
        + struct.pack("<4sI", b"data", data_length)
        + data
    )


def rf64(data: bytes = b"\x01\x02" * 2000, data_length: int | None = None) -> bytes:
    """The same as RF64 (EBU Tech 3306), whose lengths have 64 bits."""
    data_length = len(data) if data_length is None else data_length
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 72 + data_length, data_length, data_length // 4, 0)
    format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    head = struct.pack("<4sI4s", b"RF64", UNKNOWN_LENGTH, b"WAVE") + sizes + format_
    return head + struct.pack("<4sI", b"data", UNKNOWN_LENGTH) + data


SONG = wav()
