"""The header of a WAV file: its sample format, its channel layout, and where its samples are.

Headers that libsndfile misreads or refuses, and players do not, are corrected on the fly: `readable` gives libsndfile
a file that begins with a correct header and continues with the samples.
"""

import io
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from audiofiles import riff
from audiofiles.riff import Chunk

PCM, IEEE_FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
SAMPLE_BYTES = {PCM: (1, 2, 3, 4), IEEE_FLOAT: (4, 8), 0x0006: (1,), 0x0007: (1,)}  # A-law and µ-law have one byte
MAX_FORMAT_BYTES = 1 << 16
MAX_CHANNELS = 1024  # of libsndfile
GUID_TAIL = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")  # of subformats that are named by a format tag
# Format tags by the codec's name (RFC 2361, and mmreg.h of the Windows SDK).
CODECS = {
    0x0002: "Microsoft ADPCM", 0x0011: "IMA ADPCM", 0x0022: "TrueSpeech", 0x0031: "GSM 06.10", 0x0045: "G.726 ADPCM",
    0x0050: "MPEG audio", 0x0055: "MP3", 0x0092: "AC-3", 0x00FF: "AAC", 0x0160: "Windows Media Audio 1",
    0x0161: "Windows Media Audio", 0x0162: "Windows Media Audio Professional", 0x0163: "Windows Media Audio Lossless",
    0x0270: "ATRAC3", 0x1600: "AAC", 0x1602: "AAC", 0x1610: "AAC", 0x2000: "AC-3", 0x2001: "DTS", 0x566F: "Vorbis",
    0x674F: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis", 0x676F: "Vorbis", 0x6770: "Vorbis", 0x6771: "Vorbis",
    0x704F: "Opus", 0xA106: "AAC", 0xA109: "Speex", 0xF1AC: "FLAC",
}  # fmt: skip


@dataclass(frozen=True)
class ChannelLayout:
    """The positions of the channels, as WAVEFORMATEXTENSIBLE states them: the mask, and the end of the subformat.

    A mask of 0 states that the channels have no positions. The end of the subformat tells Ambisonics apart.
    """

    mask: int
    guid_tail: bytes = GUID_TAIL

    def is_default(self, nb_channels: int) -> bool:
        """Whether a WAV file of one or two channels without a layout means the same."""
        return self.guid_tail == GUID_TAIL and {1: 0x4, 2: 0x3}.get(nb_channels) == self.mask


@dataclass(frozen=True)
class WavFormat:
    """The content of a `fmt ` chunk. `tag` is the codec's; `sample_bytes` is 0 if its samples have no fixed size."""

    tag: int
    nb_channels: int
    sample_rate: int
    bits: int
    sample_bytes: int
    layout: ChannelLayout | None
    content: bytes
    is_consistent: bool

    @property
    def is_usable(self) -> bool:
        return 0 < self.nb_channels <= MAX_CHANNELS and self.sample_rate > 0

    @property
    def is_compressed(self) -> bool:
        return self.tag not in SAMPLE_BYTES

    @property
    def codec(self) -> str:
        """The name of the codec, for people."""
        return CODECS.get(self.tag, f"0x{self.tag:04X}")

    def corrected(self, order: str) -> bytes:
        """The content of a `fmt ` chunk that does not contradict itself."""
        if self.is_consistent:
            return self.content
        return encode_format(self.sample_rate, self.nb_channels, 8 * self.sample_bytes, self.tag, order=order)


@dataclass(frozen=True)
class WavHeader:
    """What a WAV file's header says. `is_plain`: libsndfile reads the same from it."""

    kind: bytes
    format: WavFormat
    fact: bytes  # the content of the chunk `fact`
    data: Chunk
    has_more_data: bool  # a second chunk with samples, which players ignore
    is_plain: bool


def read(path: Path) -> WavHeader | None:
    """The header of the file at `path`; None if it is no WAV file, or lacks a format or samples. Raises OSError."""
    with path.open("rb") as file:
        return read_header(file)


def read_header(file: BinaryIO) -> WavHeader | None:
    """The same of an open file."""
    kind, start = riff.find_form(file)
    found = list(riff.chunks(file))
    order = riff.byte_order(kind)
    formats = [_read_format(file, chunk, order) for chunk in found if chunk.name == b"fmt "]
    data = [chunk for chunk in found if chunk.name == b"data"]
    if not formats or not data:
        return None
    usable = [one for one in formats if one.is_usable] or formats
    samples = [chunk for chunk in data if chunk.length] or data
    facts = [_content(file, chunk) for chunk in found if chunk.name == b"fact"]
    return WavHeader(
        kind,
        usable[0],
        facts[0] if facts else b"",
        samples[0],
        has_more_data=len(samples) > 1,
        is_plain=start == 0 and kind != b"BW64" and usable[0].is_consistent and _is_regular(found),
    )


def readable(path: Path) -> "bytes | str | CorrectedWav":
    """What soundfile opens to read the file: its path, or the file with a corrected header. Raises OSError."""
    header = read(path)
    if header is None or header.is_plain:
        return os.fsencode(path) if os.name == "posix" else str(path)  # soundfile cannot encode every path itself
    return CorrectedWav(path, header)


def state_layout(path: Path, layout: ChannelLayout) -> None:
    """Write a channel layout into the header of a WAV file that has a place for one. Raises OSError."""
    with path.open("r+b") as file:
        for chunk in riff.chunks(file):
            if chunk.name == b"fmt " and chunk.length >= 40:
                file.seek(chunk.start + 20)
                file.write(struct.pack("<I", layout.mask))
                file.seek(chunk.start + 26)
                file.write(layout.guid_tail)
                return


class CorrectedWav(io.RawIOBase):
    """A WAV file as it would be with a correct header. Closing it closes the file."""

    def __init__(self, path: Path, header: WavHeader):
        self._file = path.open("rb")
        self._head = _encode_header(header)
        self._start = header.data.start
        self._length = len(self._head) + header.data.length
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._offset = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._length}[whence])
        return self._offset

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._length - self._offset))
        content = self._head[self._offset : self._offset + wanted]
        if len(content) < wanted:
            self._file.seek(self._start + max(0, self._offset - len(self._head)))
            content += self._file.read(wanted - len(content))
        buffer[: len(content)] = content
        self._offset += len(content)
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def encode_format(
    sample_rate: int, nb_channels: int, bits: int, tag: int = PCM, layout: ChannelLayout | None = None, order: str = "<"
) -> bytes:
    """The content of a `fmt ` chunk for samples of `bits` bits; WAVEFORMATEXTENSIBLE if there is a layout to state."""
    sample_bytes = (bits + 7) // 8
    frame_bytes = min(nb_channels * sample_bytes, 0xFFFF)
    bytes_per_second = min(sample_rate * frame_bytes, 0xFFFFFFFF)
    numbers = (nb_channels, sample_rate, bytes_per_second, frame_bytes, 8 * sample_bytes)
    if layout is None or layout.is_default(nb_channels):
        return struct.pack(f"{order}HHIIHH", tag, *numbers)
    plain = struct.pack(f"{order}HHIIHH", EXTENSIBLE, *numbers)
    return plain + struct.pack(f"{order}HHIH", 22, bits, layout.mask, tag) + layout.guid_tail


def _read_format(file: BinaryIO, chunk: Chunk, order: str) -> WavFormat:
    content = _content(file, chunk)
    fields = struct.unpack_from(f"{order}HHIIHH", content + bytes(16))
    tag, nb_channels, sample_rate, _, frame_bytes, bits = fields
    layout = None
    if tag == EXTENSIBLE:
        tag, layout = _read_extension(content, order)
    sample_bytes = _sample_bytes(tag, nb_channels, frame_bytes, bits)
    is_consistent = len(content) >= 16 and (
        tag not in SAMPLE_BYTES or (frame_bytes == nb_channels * sample_bytes and 0 < bits <= 8 * sample_bytes)
    )
    if fields[0] == EXTENSIBLE:
        is_consistent &= layout is not None and layout.guid_tail != bytes(14)
    return WavFormat(tag, nb_channels, sample_rate, bits, sample_bytes, layout, content, is_consistent)


def _read_extension(content: bytes, order: str) -> tuple[int, ChannelLayout | None]:
    """The codec's tag and the layout. A format without the extension that it announces is taken for PCM."""
    if len(content) < 40:
        return PCM, None
    mask, tag = struct.unpack_from(f"{order}IH", content, 20)
    return tag, ChannelLayout(mask, content[26:40])


def _sample_bytes(tag: int, nb_channels: int, frame_bytes: int, bits: int) -> int:
    """The bytes of a sample: by the length of a frame, or where that is impossible, by the number of bits."""
    possible = SAMPLE_BYTES.get(tag, ())
    for sample_bytes in (frame_bytes // nb_channels if nb_channels else 0, (bits + 7) // 8):
        if sample_bytes in possible and bits <= 8 * sample_bytes:
            return sample_bytes
    return possible[0] if possible else 0


def _is_regular(found: Sequence[Chunk]) -> bool:
    """Whether the chunks follow each other without gaps, and one format comes before one chunk of whole samples."""
    names = [chunk.name for chunk in found]
    if names.count(b"fmt ") != 1 or names.count(b"data") != 1 or names.index(b"fmt ") > names.index(b"data"):
        return False
    data = found[names.index(b"data")]
    contiguous = all(one.end + 8 == after.start for one, after in pairwise(found))
    return contiguous and all(map(riff.is_name, names)) and data.declared == data.length


def _content(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.length, MAX_FORMAT_BYTES))


def _encode_header(header: WavHeader) -> bytes:
    order = riff.byte_order(header.kind)
    chunks = [(b"fmt ", header.format.corrected(order))]
    if header.fact and header.format.is_compressed:  # a compressed format's number of samples
        chunks.append((b"fact", header.fact))
    content = b"".join(
        name + struct.pack(f"{order}I", len(part)) + part + bytes(len(part) % 2) for name, part in chunks
    )
    length = header.data.length
    if order == ">" or 4 + len(content) + 8 + length <= riff.OPEN_LENGTH:
        sizes = (min(4 + len(content) + 8 + length, riff.OPEN_LENGTH), min(length, riff.OPEN_LENGTH))
        kind = b"RIFX" if order == ">" else b"RIFF"
        head = kind + struct.pack(f"{order}I", sizes[0]) + b"WAVE"
        return head + content + b"data" + struct.pack(f"{order}I", sizes[1])
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 4 + 36 + len(content) + 8 + length, length, 0, 0)
    head = b"RF64" + struct.pack("<I", riff.OPEN_LENGTH) + b"WAVE"
    return head + ds64 + content + b"data" + struct.pack("<I", riff.OPEN_LENGTH)
