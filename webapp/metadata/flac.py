"""The tags of a FLAC (RFC 9639): a block of Vorbis comments and one for the cover, before the sound itself."""

import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from webapp.metadata.id3 import FRONT_COVER, media_type

PADDING, COMMENTS, PICTURE = 1, 4, 6
LAST = 0x80
LONGEST_BLOCK = (1 << 24) - 1
COPY_BYTES = 1 << 20


def put(path: Path, texts: Mapping[str, Sequence[str]], cover: bytes) -> None:
    """Replace the file at `path` by one with these tags in place of its own; the sound is copied as it stands.

    Raises ValueError if it is no FLAC, and OSError.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with path.open("rb") as file, part.open("wb") as tagged:
            blocks, vendor = _blocks(file)
            blocks.append((COMMENTS, _comments(vendor, texts)))
            if cover and len(cover) < LONGEST_BLOCK - 100:
                blocks.append((PICTURE, _picture(cover)))
            tagged.write(b"fLaC")
            for number, (kind, content) in enumerate(blocks, 1):
                last = LAST if number == len(blocks) else 0
                tagged.write(struct.pack(">I", (last | kind) << 24 | len(content)) + content)
            shutil.copyfileobj(file, tagged, COPY_BYTES)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _blocks(file: BinaryIO) -> tuple[list[tuple[int, bytes]], bytes]:
    """The blocks that stay, kind and content, and who wrote the file; it stands then where the sound begins."""
    if file.read(4) != b"fLaC":
        raise ValueError("no FLAC")
    blocks, vendor, last = [], b"", 0
    while not last:
        head = file.read(4)
        if len(head) < 4:
            raise ValueError("a FLAC without sound")
        last, kind = head[0] & LAST, head[0] & ~LAST
        content = file.read(int.from_bytes(head[1:], "big"))
        if kind == COMMENTS:
            vendor = content[4 : 4 + int.from_bytes(content[:4], "little")]
        elif kind not in (PADDING, PICTURE):
            blocks.append((kind, content))
    return blocks, vendor


def _comments(vendor: bytes, texts: Mapping[str, Sequence[str]]) -> bytes:
    comments = [f"{name}={value}".encode() for name, values in texts.items() for value in values]
    return _counted(vendor) + struct.pack("<I", len(comments)) + b"".join(map(_counted, comments))


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _picture(image: bytes) -> bytes:
    """Width, height, depth and colours are 0: they are in the picture itself."""
    kind = media_type(image).encode("ascii")
    return struct.pack(">II", FRONT_COVER, len(kind)) + kind + struct.pack(">6I", 0, 0, 0, 0, 0, len(image)) + image
