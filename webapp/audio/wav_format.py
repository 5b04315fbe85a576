"""What a WAV file's header says of its samples. Neither numpy nor libsndfile is loaded for it."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audiofiles import riff, wav_header
from audiofiles.wav_header import IEEE_FLOAT


@dataclass(frozen=True)
class WavFormat:
    """`speakers` has one bit for each channel's position (dwChannelMask), 0 where the header has none.

    `peak` is the largest sample by the PEAK chunk that libsndfile writes for floating point; 0 if there is none.
    """

    nb_channels: int
    sample_rate: int
    is_float: bool
    speakers: int
    peak: float


def read(path: Path) -> WavFormat:
    """Read the header of a WAV file. Raises OSError, and ValueError if it is not one."""
    with path.open("rb") as file:
        header = wav_header.read_header(file)
        if header is None:
            raise ValueError("not a WAV file")
        peak = _read_peak(file, riff.byte_order(header.kind))
    format = header.format
    speakers = format.layout.mask if format.layout else 0
    return WavFormat(format.nb_channels, format.sample_rate, format.tag == IEEE_FLOAT, speakers, peak)


def _read_peak(file: BinaryIO, order: str) -> float:
    """The largest value of a PEAK chunk: version, time, and for each channel the value and its position."""
    content = b""
    for chunk in riff.chunks(file):
        if chunk.name == b"PEAK":
            file.seek(chunk.start)
            content = file.read(min(chunk.length, 1 << 12))
    pairs = content[8 : len(content) - len(content) % 8]
    return max((value for value, _ in struct.iter_unpack(f"{order}fL", pairs)), default=0.0)
