"""The chunks of a WAV file: RIFF, its big-endian variant RIFX, and RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088).

A header states 32-bit lengths, or 64-bit ones in `ds64`. A program that streams a file does not know them beforehand,
and leaves a placeholder; others write the lengths of files above 4 GiB modulo 2³². A chunk therefore has two lengths:
the one that it declares, and that of what is there.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_CHUNKS = 1000  # an honest file has a handful
OPEN_LENGTH = 0xFFFFFFFF  # the length is in ds64, or a streaming program never completed the header
MODULUS = 1 << 32
KINDS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
LONG_KINDS = (b"RF64", b"BW64")
# Up to this far below a power of two: SoX and espeak-ng write 0x7FFFF000, LAME 0x7FFFFFFF, FFmpeg 0xFFFFFFFF.
PLACEHOLDER_RANGE = 1 << 16
PLACEHOLDER_LIMITS = (1 << 31, 1 << 32, 1 << 63, 1 << 64)
PRINTABLE = range(0x20, 0x7F)
ID3_HEAD_BYTES = 10


@dataclass(frozen=True)
class Chunk:
    """A chunk's name, the offset of its content, and how many bytes it declares and has."""

    name: bytes
    start: int
    declared: int
    length: int

    @property
    def end(self) -> int:
        """The offset after the content and the byte that pads it to an even length."""
        return self.start + self.length + self.length % 2

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ends before the chunk does. The placeholder of a streaming program does not mean that."""
        return self.declared > self.length and not is_placeholder(self.declared)


def is_placeholder(length: int) -> bool:
    """Whether a length is one that streaming programs write because they do not know it yet."""
    return length == 0 or any(limit - PLACEHOLDER_RANGE <= length <= limit for limit in PLACEHOLDER_LIMITS)


def is_name(name: bytes) -> bool:
    """Whether these bytes can be a chunk's name."""
    return len(name) == 4 and all(byte in PRINTABLE for byte in name)


def find_form(file: BinaryIO) -> tuple[bytes, int]:
    """The kind of the RIFF form and its offset: 0, or after an ID3 tag before it. (b"", 0) if the file has none."""
    for offset in (0, id3_length(file)):
        file.seek(offset)
        head = file.read(12)
        if head[:4] in KINDS and head[8:] == b"WAVE":
            return head[:4], offset
    return b"", 0


def byte_order(kind: bytes) -> str:
    """The byte order of a kind of RIFF, in the notation of `struct`."""
    return ">" if kind == b"RIFX" else "<"


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of an open WAV file, as far as they can be followed; none if it is no WAV file."""
    kind, start = find_form(file)
    if not kind:
        return
    order, offset, size = byte_order(kind), start + 12, file.seek(0, os.SEEK_END)
    long_data = 0
    for _ in range(MAX_CHUNKS):
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            return
        name, declared = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            long_data = int.from_bytes(file.read(16)[8:], "little")
        if name == b"data" and long_data:
            declared = long_data
        offset += 8
        length = _data_length(file, offset, declared, order) if name == b"data" else min(declared, size - offset)
        chunk = Chunk(name, offset, declared, length)
        yield chunk
        offset = _next_offset(file, chunk, size)
        if offset > size:  # which the system may not be able to seek to
            return


def ends_with_chunks(file: BinaryIO, offset: int, order: str) -> bool:
    """Whether only whole chunks follow from `offset` to the end of the file, or nothing."""
    size = file.seek(0, os.SEEK_END)
    offset += offset % 2
    for _ in range(MAX_CHUNKS):
        if size - 1 <= offset <= size + 1:
            return True
        if offset > size:
            return False
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8 or not is_name(head[:4]):
            return False
        length: int = struct.unpack(f"{order}4xI", head)[0]
        offset += 8 + length + length % 2
    return False


def replace_trailing_chunks(path: Path, contents: Sequence[tuple[bytes, bytes]]) -> None:
    """Let these chunks, (name, content), take the place of all those after the samples.

    The file's own length is written last, so that until then a reader finds the samples. Raises ValueError if the
    file is no whole RIFF or RF64, and OSError.
    """
    added = b"".join(encode_chunk(name, content) for name, content in contents)
    with path.open("r+b") as file:
        kind, start = find_form(file)
        data = next((chunk for chunk in chunks(file) if chunk.name == b"data"), None)
        if kind not in (b"RIFF", b"RF64") or start or not data or data.declared != data.length:
            raise ValueError("not a whole WAV file")
        if not ends_with_chunks(file, data.end, "<"):
            raise ValueError("not a WAV file that ends with a chunk")
        length = data.end + len(added) - 8
        if kind == b"RIFF" and length >= OPEN_LENGTH:
            raise ValueError("the length does not fit into 32 bits")
        file.truncate(data.start + data.length)
        file.seek(0, os.SEEK_END)
        file.write(bytes(data.length % 2) + added)
        file.flush()
        file.seek(4 if kind == b"RIFF" else 20)  # RF64 has it at the start of ds64
        file.write(length.to_bytes(4 if kind == b"RIFF" else 8, "little"))


def encode_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk as it is in a little-endian file."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _data_length(file: BinaryIO, start: int, declared: int, order: str) -> int:
    """How many bytes of samples there are from `start`, whatever the header declares."""
    left = file.seek(0, os.SEEK_END) - start
    if declared > left:
        return left
    if not is_placeholder(declared) and left - declared < MODULUS:
        return declared
    for length in range(declared + (left - declared) // MODULUS * MODULUS, declared - 1, -MODULUS):
        if ends_with_chunks(file, start + length, order):
            return length  # the declared length, or that of which a program has written the lower 32 bits
    return left if is_placeholder(declared) else declared


def _next_offset(file: BinaryIO, chunk: Chunk, size: int) -> int:
    """The offset of the next chunk. A program that does not pad an odd chunk begins the next one a byte earlier."""
    end = chunk.start + max(chunk.length, chunk.declared if chunk.is_cut_off else 0)
    if end == chunk.end or end >= size:
        return end
    file.seek(end)
    name = file.read(5)
    return end if is_name(name[:4]) and not is_name(name[1:]) else chunk.end


def id3_length(file: BinaryIO) -> int:
    """The length of an ID3 tag at the beginning of the file; 0 if there is none."""
    file.seek(0)
    head = file.read(ID3_HEAD_BYTES)
    if len(head) < ID3_HEAD_BYTES or head[:3] != b"ID3":
        return 0
    return ID3_HEAD_BYTES + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
