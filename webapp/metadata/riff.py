"""Chunks of a WAV: RIFF, its big-endian sister RIFX, and RF64 (EBU Tech 3306), whose lengths may have 64 bits."""

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_CHUNKS = 1000  # in a file that means well there are a handful
OPEN_LENGTH = 0xFFFFFFFF  # it stands in ds64; or a program streamed the file and never came back to its head


@dataclass(frozen=True)
class Chunk:
    """A chunk's name, where its content starts, and how many bytes it says that it has."""

    name: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.length + self.length % 2


def byte_order(file: BinaryIO) -> str:
    """As `struct` writes it."""
    file.seek(0)
    return ">" if file.read(4) == b"RIFX" else "<"


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of an open file, as far as they can be followed; the last may promise more than there is."""
    order, place, long_data, size = byte_order(file), 12, 0, file.seek(0, os.SEEK_END)
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        name, length = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            long_data = int.from_bytes(file.read(16)[8:], "little")
        chunk = Chunk(name, place + 8, long_data if name == b"data" and long_data else length)
        yield chunk
        place = chunk.end
        if place > size:  # perhaps farther than the system can look
            return


def append(path: Path, contents: Mapping[bytes, bytes]) -> None:
    """Put chunks, name → content, behind those that the file has. Raises ValueError if it does not end with a chunk.

    The file's own length is written last, so that a reader at any moment finds what was there before.
    """
    added = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for name, content in contents.items()
    )
    with path.open("r+b") as file:
        kind, size = file.read(4), os.fstat(file.fileno()).st_size
        ends = [chunk.start + chunk.length for chunk in chunks(file)]
        place = ends[-1] + ends[-1] % 2 if ends else 0
        if size not in (ends[-1:] or [0]) + [place] or kind not in (b"RIFF", b"RF64"):
            raise ValueError("not a WAV that ends with a chunk")
        length = place + len(added) - 8
        if kind == b"RIFF" and length >= OPEN_LENGTH:
            raise ValueError("no room in a 32-bit length")
        file.seek(place)
        file.write(added)
        file.flush()
        file.seek(4 if kind == b"RIFF" else 20)  # RF64 has it at the start of ds64
        file.write(length.to_bytes(4 if kind == b"RIFF" else 8, "little"))
