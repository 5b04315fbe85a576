"""A zip file that is made while it is sent. Its files are stored uncompressed, so that its length is known in advance.

The format is that of PKWARE's APPNOTE 6.3.10. Each file is read twice, since its CRC and its sizes stand before it:
programs that read a zip as it arrives cannot find the end of a stored file otherwise. Sizes and offsets that need more
than 32 bits are in zip64 fields. Python's `zipfile` can write such a file too, but cannot tell its length in advance.
"""

import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

CHUNK_BYTES = 1 << 18
LARGEST = 0xFFFFFFFF  # value of a 32-bit field; it means that the value is in the zip64 field
PLAIN, ZIP64 = 20, 45  # the version of the format that is needed to extract
FLAGS = 1 << 11  # the name is UTF-8
REGULAR_FILE = 0o100644 << 16
MADE_BY_UNIX = 3 << 8


@dataclass
class _Entry:
    """A file in the zip. `start` is the offset of its local header."""

    name: bytes
    file: BinaryIO
    size: int
    stamp: tuple[int, int]
    crc: int
    start: int = 0

    @property
    def large(self) -> bool:
        return self.size >= LARGEST

    @property
    def whole_length(self) -> int:
        return len(_local_header(self)) + self.size


class Zip:
    """A zip of some open files. `length` is the number of bytes that `chunks` gives."""

    def __init__(self, files: Mapping[str, BinaryIO]):
        """`files` maps names inside the zip to files, all of which are read once here. Raises OSError."""
        self._entries = [_entry(name, file) for name, file in files.items()]
        offset = 0
        for entry in self._entries:
            entry.start = offset
            offset += entry.whole_length
        self.length = offset + len(_directory(self._entries, offset))

    def chunks(self) -> Iterator[bytes]:
        """The zip file, piece by piece. Raises OSError, and EOFError if a file has changed since."""
        for entry in self._entries:
            yield _local_header(entry)
            yield from _content(entry)
        last = self._entries[-1]
        yield _directory(self._entries, last.start + last.whole_length)


def _entry(name: str, file: BinaryIO) -> _Entry:
    found = os.fstat(file.fileno())
    return _Entry(name.encode(), file, found.st_size, _dos_time(found.st_mtime), _crc(file))


def _crc(file: BinaryIO) -> int:
    crc = 0
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        crc = zlib.crc32(chunk, crc)
    return crc


def _dos_time(seconds: float) -> tuple[int, int]:
    """The (time, date) format of MS-DOS, which starts in 1980 and has a resolution of two seconds."""
    year, month, day, hour, minute, second, *_ = time.localtime(max(seconds, 315_619_200))  # 1980-01-02
    return hour << 11 | minute << 5 | second // 2, year - 1980 << 9 | month << 5 | day


def _content(entry: _Entry) -> Iterator[bytes]:
    left, crc = entry.size, 0
    entry.file.seek(0)
    while left:
        chunk = entry.file.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise EOFError(f"{entry.name!r} has become shorter")
        crc = zlib.crc32(chunk, crc)
        left -= len(chunk)
        yield chunk
    if crc != entry.crc:
        raise EOFError(f"{entry.name!r} has changed")


def _local_header(entry: _Entry) -> bytes:
    extra = _zip64(entry.size, entry.size) if entry.large else b""
    size = min(entry.size, LARGEST)
    version = ZIP64 if entry.large else PLAIN
    fields = (version, FLAGS, 0, *entry.stamp, entry.crc, size, size, len(entry.name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + entry.name + extra


def _directory(entries: Sequence[_Entry], start: int) -> bytes:
    """The central directory, which starts at offset `start`, and the end records."""
    headers = b"".join(map(_central_header, entries))
    count = len(entries)
    end64 = b""
    if start + len(headers) >= LARGEST:
        end64_fields = (44, MADE_BY_UNIX | ZIP64, ZIP64, 0, 0, count, count, len(headers), start)
        end64 = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", *end64_fields)
        end64 += struct.pack("<4sLQL", b"PK\6\7", 0, start + len(headers), 1)
    fields = (0, 0, count, count, len(headers), min(start, LARGEST), 0)
    return headers + end64 + struct.pack("<4s4HLLH", b"PK\5\6", *fields)


def _central_header(entry: _Entry) -> bytes:
    long = [entry.size, entry.size] if entry.large else []
    long += [entry.start] if entry.start >= LARGEST else []
    extra = _zip64(*long) if long else b""
    version, size = (ZIP64 if long else PLAIN), min(entry.size, LARGEST)
    fields = (MADE_BY_UNIX | version, version, FLAGS, 0, *entry.stamp, entry.crc, size, size, len(entry.name))
    rest = (len(extra), 0, 0, 0, REGULAR_FILE, min(entry.start, LARGEST))
    return struct.pack("<4s6H3L5HLL", b"PK\1\2", *fields, *rest) + entry.name + extra


def _zip64(*values: int) -> bytes:
    """The zip64 extended information field (4.5.3)."""
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)
