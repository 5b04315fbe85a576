"""A WAV file that is made while it is sent, whose length is known in advance."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from audiofiles import riff
from audiofiles.metadata import Chunk
from audiofiles.wav_header import IEEE_FLOAT, PCM, ChannelLayout, encode_format
from webapp.audio.signal import Samples, Signal

LARGEST_RIFF = 0xFFFFFFFF  # bytes; a longer file is RF64 (EBU Tech 3306)
# libsndfile's subtype → the format tag of the header, and numpy's type of a sample. Files of any other subtype become
# 16 bit, as their stems are.
ENCODINGS = {
    "PCM_U8": (PCM, "u1"),
    "PCM_16": (PCM, "<i2"),
    "PCM_24": (PCM, "<i3"),
    "PCM_32": (PCM, "<i4"),
    "FLOAT": (IEEE_FLOAT, "<f4"),
    "DOUBLE": (IEEE_FLOAT, "<f8"),
}


def is_float(subtype: str) -> bool:
    """Whether a WAV file of this subtype can hold samples beyond full scale."""
    return subtype in ("FLOAT", "DOUBLE")


class WavStream:
    """The WAV file of a signal, times `gain`. `length` is the number of bytes that `chunks` gives."""

    def __init__(
        self,
        signal: Signal,
        subtype: str,
        gain: float = 1.0,
        layout: ChannelLayout | None = None,
        chunks: Sequence[Chunk] = (),
    ):
        """`layout` is that of the channels, if it is known. `chunks` follow the samples."""
        self._signal, self._gain = signal, gain
        self._subtype = subtype if subtype in ENCODINGS else "PCM_16"
        tag, sample_type = ENCODINGS[self._subtype]
        sample_bytes = int(sample_type[-1])
        nb_bytes = signal.nb_samples * signal.nb_channels * sample_bytes
        self._end = bytes(nb_bytes % 2) + b"".join(riff.encode_chunk(*chunk) for chunk in chunks)
        format = encode_format(signal.sample_rate, signal.nb_channels, 8 * sample_bytes, tag, layout)
        self._header = _header(format, tag, nb_bytes, signal.nb_samples, len(self._end))
        self.length = len(self._header) + nb_bytes + len(self._end)

    def chunks(self) -> Iterator[bytes]:
        """The WAV file, piece by piece. Raises soundfile.LibsndfileError."""
        yield self._header
        for block in self._signal.blocks():
            yield encode(block * self._gain, self._subtype)
        yield self._end


def encode(samples: Samples, subtype: str) -> bytes:
    """The bytes of samples in a WAV file. An integer sample of full scale, 1, becomes the largest integer."""
    tag, sample_type = ENCODINGS[subtype]
    encoded: npt.NDArray[Any]
    if tag == IEEE_FLOAT:
        encoded = samples.astype(sample_type)
        return encoded.tobytes()
    numbers = to_integers(samples, 8 * int(sample_type[-1]))
    if subtype == "PCM_24":
        encoded = numbers.astype("<i4").reshape(-1, 1).view("u1")[:, :3]  # numpy has no type of 24 bit
    else:
        encoded = (numbers + 128 if subtype == "PCM_U8" else numbers).astype(sample_type)
    return encoded.tobytes()


def to_integers(samples: Samples, bits: int) -> Samples:
    """Samples as integers of `bits` bits, in float64. Never wraps."""
    full_scale = 2 ** (bits - 1)
    numbers: Samples = np.clip(np.rint(samples * full_scale), -full_scale, full_scale - 1)
    return numbers


def _header(format: bytes, tag: int, nb_bytes: int, nb_samples: int, nb_after: int) -> bytes:
    """The header for `nb_bytes` of samples and `nb_after` bytes behind them. `format` is the content of `fmt `."""
    chunks = riff.encode_chunk(b"fmt ", format)
    if tag != PCM:
        chunks += riff.encode_chunk(b"fact", struct.pack("<L", min(nb_samples, 0xFFFFFFFF)))
    length = 4 + len(chunks) + 8 + nb_bytes + nb_after
    if length <= LARGEST_RIFF:
        return struct.pack("<4sL4s", b"RIFF", length, b"WAVE") + chunks + struct.pack("<4sL", b"data", nb_bytes)
    sizes = struct.pack("<4sLQQQL", b"ds64", 28, length + 36, nb_bytes, nb_samples, 0)
    head = struct.pack("<4sL4s", b"RF64", LARGEST_RIFF, b"WAVE")
    return head + sizes + chunks + struct.pack("<4sL", b"data", LARGEST_RIFF)
