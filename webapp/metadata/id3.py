"""ID3, the part of it that songs are known by: texts and the cover. Read in versions 2.2 to 2.4, written as 2.3.

After id3.org's "ID3 tag version 2.3.0" (1999) and "2.4.0" (2000).
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

# As Vorbis comments name them → the frames of 2.3 and 2.4, that of 2.3 first; then that of 2.2.
FRAMES = {
    "TITLE": (b"TIT2", b"TT2"),
    "ARTIST": (b"TPE1", b"TP1"),
    "ALBUM": (b"TALB", b"TAL"),
    "ALBUMARTIST": (b"TPE2", b"TP2"),
    "DATE": (b"TYER", b"TDRC", b"TYE"),
    "TRACKNUMBER": (b"TRCK", b"TRK"),
    "DISCNUMBER": (b"TPOS", b"TPA"),
    "GENRE": (b"TCON", b"TCO"),
    "COMPOSER": (b"TCOM", b"TCM"),
    "COPYRIGHT": (b"TCOP", b"TCR"),
    "ISRC": (b"TSRC", b"TRC"),
    "BPM": (b"TBPM", b"TBP"),
}
TEXTS = {frame: name for name, frames in FRAMES.items() for frame in frames}
ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
GENRE_NUMBERS = re.compile(r"^(\(\d{1,3}\))+(?=[^(])")
FRONT_COVER = 3
UNSYNCHRONISED, EXTENDED = 0x80, 0x40  # flags of the tag
FRAME_UNSYNCHRONISED, FRAME_LENGTH = 0x02, 0x01  # flags of a frame of 2.4; all others of their byte make it unreadable
IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


def read(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The texts by the names of Vorbis comments, and the cover, of an ID3 tag. Raises ValueError if it is none."""
    texts: dict[str, list[str]] = {}
    pictures = []
    for name, body in _frames(content):
        with suppress(ValueError, IndexError):  # one that is damaged is left out
            if name in TEXTS:
                texts.setdefault(TEXTS[name], _values(body))
            elif name in (b"APIC", b"PIC") and (picture := _picture(name, body)):
                pictures.append(picture)
    if "GENRE" in texts:
        texts["GENRE"] = [GENRE_NUMBERS.sub("", value) for value in texts["GENRE"]]
    front = [data for kind, data in pictures if kind == FRONT_COVER] + [data for _, data in pictures]
    return texts, front[0] if front else b""


def written(texts: Mapping[str, Sequence[str]], cover: bytes) -> bytes:
    """An ID3 tag of version 2.3."""
    frames = [(FRAMES[name][0], b"\1" + _text(name, values)) for name, values in texts.items() if name in FRAMES]
    if cover:
        head = b"\0" + media_type(cover).encode("ascii") + b"\0" + bytes([FRONT_COVER]) + b"\0"
        frames.append((b"APIC", head + cover))
    content = b"".join(struct.pack(">4sIH", name, len(body), 0) + body for name, body in frames)
    return b"ID3\3\0\0" + _synchsafe_bytes(len(content)) + content


def media_type(image: bytes) -> str:
    """What a picture is, by how it begins; empty if it is neither JPEG nor PNG."""
    return next((kind for start, kind in IMAGES.items() if image.startswith(start)), "")


def _frames(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The frames that can be read, name and body, from first to last."""
    magic, version, _, flags, size = struct.unpack_from(">3sBBB4s", content)
    if magic != b"ID3" or version not in (2, 3, 4):
        raise ValueError("no ID3 that is known here")
    content = content[10 : 10 + _synchsafe(size)]
    if flags & UNSYNCHRONISED and version < 4:
        content = _synchronised(content)
    place = _extended_header(content, version) if flags & EXTENDED and version > 2 else 0
    head = struct.Struct(">3s3s" if version == 2 else ">4s4sBB")
    while place + head.size <= len(content) and content[place]:
        name, size, *frame_flags = head.unpack_from(content, place)
        place += head.size
        length = _synchsafe(size) if version == 4 else int.from_bytes(size, "big")
        body = content[place : place + length]
        place += length
        if version == 4:
            body = _plain_body(body, frame_flags[1])
        elif frame_flags and frame_flags[1]:
            body = None  # packed, enciphered or grouped
        if body is not None and len(body) <= length:
            yield name, body


def _extended_header(content: bytes, version: int) -> int:
    """How long it is; 2.4 counts the four bytes of its length too."""
    return _synchsafe(content[:4]) if version == 4 else 4 + int.from_bytes(content[:4], "big")


def _plain_body(body: bytes, flags: int) -> bytes | None:
    if flags & ~(FRAME_UNSYNCHRONISED | FRAME_LENGTH):
        return None
    if flags & FRAME_LENGTH:
        body = body[4:]
    return _synchronised(body) if flags & FRAME_UNSYNCHRONISED else body


def _values(body: bytes) -> list[str]:
    """2.4 has several values with a zero between them."""
    text = body[1:].decode(ENCODINGS[body[0]], "replace")
    return [value.lstrip("\ufeff") for value in text.rstrip("\0").split("\0")]


def _picture(name: bytes, body: bytes) -> tuple[int, bytes] | None:
    """A picture's kind and content, or None if it is only linked to, or nothing that is known here."""
    wide = body[0] in (1, 2)
    kind_at = 4 if name == b"PIC" else body.index(b"\0", 1) + 1
    end = kind_at + 1
    while body[end : end + 1 + wide] != bytes(1 + wide):  # of the description
        end += 1 + wide
        if end >= len(body):
            return None
    data = body[end + 1 + wide :]
    return (body[kind_at], data) if media_type(data) else None


def _text(name: str, values: Sequence[str]) -> bytes:
    text = "/".join(values)
    return ("\ufeff" + (text[:4] if name == "DATE" else text)).encode("utf-16-le", "replace")


def _synchronised(content: bytes) -> bytes:
    return content.replace(b"\xff\0", b"\xff")


def _synchsafe(size: bytes) -> int:
    """A number of seven bits a byte."""
    number = 0
    for byte in size:
        number = number << 7 | byte & 0x7F
    return number


def _synchsafe_bytes(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
