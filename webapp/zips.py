"""A zip that is sent while it is made: stored, not packed, so that its length is known before its first byte.

After PKWARE's APPNOTE 6.3.10. Each file's CRC is computed on the way and follows it in a data descriptor; sizes and
places that need more than 32 bits stand in zip64's fields. Python's own `zipfile` writes such a zip too, but cannot say
beforehand how long it will be.
"""

import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from webapp.refusal import no_such_file

CHUNK_BYTES = 1 << 18
LARGEST = 0xFFFFFFFF  # of a 32-bit field, which then says: see zip64's
PLAIN, ZIP64 = 20, 45  # the version of the format that it takes to unpack
FLAGS = 1 << 3 | 1 << 11  # a data descriptor follows; the name is UTF-8
REGULAR_FILE = 0o100644 << 16
MADE_BY_UNIX = 3 << 8


@dataclass
class _Entry:
    """A file on its way into the zip. `crc` is known once it has been sent, `start` from the first."""

    name: bytes
    file: BinaryIO
    size: int
    stamp: tuple[int, int]
    start: int = 0
    crc: int = 0

    @property
    def large(self) -> bool:
        return self.size >= LARGEST

    @property
    def whole_length(self) -> int:
        return len(_local_header(self)) + self.size + len(_descriptor(self))


class Zip:
    """A zip of `files`: name inside → path. `length` is that of all bytes that `chunks` gives. Raises Refusal (404).

    The files are opened at once: what is deleted meanwhile is sent all the same. A context: it closes them.
    """

    def __init__(self, files: Mapping[str, Path]):
        with ExitStack() as opened:
            self._entries = [_entry(name, opened.enter_context(_opened(path))) for name, path in files.items()]
            self._files = opened.pop_all()
        place = 0
        for entry in self._entries:
            entry.start = place
            place += entry.whole_length
        self.length = place + len(_directory(self._entries, place))

    def chunks(self) -> Iterator[bytes]:
        """The zip, piece by piece. Raises OSError, and EOFError for a file that has become shorter."""
        for entry in self._entries:
            yield _local_header(entry)
            yield from _content(entry)
            yield _descriptor(entry)
        last = self._entries[-1]
        yield _directory(self._entries, last.start + last.whole_length)

    def __enter__(self) -> "Zip":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        raise no_such_file() from None


def _entry(name: str, file: BinaryIO) -> _Entry:
    found = os.fstat(file.fileno())
    return _Entry(name.encode(), file, found.st_size, _dos_time(found.st_mtime))


def _dos_time(seconds: float) -> tuple[int, int]:
    """(time, date) as MS-DOS had them, from 1980 on and in steps of two seconds."""
    year, month, day, hour, minute, second, *_ = time.localtime(max(seconds, 315_619_200))  # 1980-01-02
    return hour << 11 | minute << 5 | second // 2, year - 1980 << 9 | month << 5 | day


def _content(entry: _Entry) -> Iterator[bytes]:
    left = entry.size
    while left:
        chunk = entry.file.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise EOFError(f"{entry.name!r} has become shorter")
        entry.crc = zlib.crc32(chunk, entry.crc)
        left -= len(chunk)
        yield chunk


def _local_header(entry: _Entry) -> bytes:
    """CRC and sizes are 0 here, since a data descriptor follows (4.4.4); zip64's field says that its sizes are long."""
    extra = _zip64(0, 0) if entry.large else b""
    sizes = (LARGEST, LARGEST) if entry.large else (0, 0)
    version = ZIP64 if entry.large else PLAIN
    fields = (version, FLAGS, 0, *entry.stamp, 0, *sizes, len(entry.name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + entry.name + extra


def _descriptor(entry: _Entry) -> bytes:
    return struct.pack("<4sLQQ" if entry.large else "<4sLLL", b"PK\7\x08", entry.crc, entry.size, entry.size)


def _directory(entries: Sequence[_Entry], start: int) -> bytes:
    """The central directory, from byte `start` on, and the end of the zip."""
    headers = b"".join(map(_central_header, entries))
    count = len(entries)
    end64 = b""
    if start + len(headers) >= LARGEST:
        fields = (44, MADE_BY_UNIX | ZIP64, ZIP64, 0, 0, count, count, len(headers), start)
        end64 = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", *fields)
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
    """The extended information field (4.5.3)."""
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)
