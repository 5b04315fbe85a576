"""ID3 tags: texts and the cover. Versions 2.2 to 2.4 are read, version 2.3 is written.

The format is that of id3.org's "ID3 tag version 2.3.0" (1999) and "ID3 tag version 2.4.0" (2000).
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from audiofiles import code_pages

# Names of Vorbis comments → the frames: that of 2.3 (and of 2.4, where it differs), then that of 2.2.
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
    "INITIALKEY": (b"TKEY", b"TKE"),
    "LYRICIST": (b"TEXT", b"TXT"),
    "CONDUCTOR": (b"TPE3", b"TP3"),
    "REMIXER": (b"TPE4", b"TP4"),
    "ORGANIZATION": (b"TPUB", b"TPB"),
    "LANGUAGE": (b"TLAN", b"TLA"),
    "GROUPING": (b"TIT1", b"TT1"),
    "SUBTITLE": (b"TIT3", b"TT3"),
}
LONG_TEXTS = {b"COMM": "COMMENT", b"COM": "COMMENT", b"USLT": "LYRICS", b"ULT": "LYRICS"}
LONG_FRAMES = {"COMMENT": b"COMM", "LYRICS": b"USLT"}
FREE_TEXTS = (b"TXXX", b"TXX")
WRITERS = (b"TSSE", b"TSS", b"TENC", b"TEN")  # the program that wrote the file, which says nothing of the recording
TEXTS = {frame: name for name, frames in FRAMES.items() for frame in frames}
ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
NO_LABEL = b"\xff\xfe\0\0"
NOT_IN_NAMES = re.compile(r"[^ -<>-}]")  # of Vorbis comments
GENRE_NUMBERS = re.compile(r"^(\(\d{1,3}\))+(?=[^(])")
FRONT_COVER = 3
UNSYNCHRONISED, EXTENDED = 0x80, 0x40  # flags of the tag
# Flags of a frame of 2.4; with any other format flag, it cannot be read.
FRAME_UNSYNCHRONISED, FRAME_LENGTH = 0x02, 0x01
HEADS = {2: struct.Struct(">3s3s"), 3: struct.Struct(">4s4sBB"), 4: struct.Struct(">4s4sBB")}  # of a frame, by version
IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


def read(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The texts of an ID3 tag, by the names of Vorbis comments, and its cover. Raises ValueError if it is not one."""
    texts: dict[str, list[str]] = {}
    pictures = []
    for name, body in _frames(content):
        with suppress(ValueError, IndexError):  # a damaged frame is left out
            if name in FREE_TEXTS or name in LONG_TEXTS:
                label, values = _labelled(name, body)
                texts.setdefault(label, []).extend(values)
            elif name.startswith(b"T") and name not in WRITERS:
                texts.setdefault(TEXTS.get(name, name.decode("ascii")), _values(body))
            elif name in (b"APIC", b"PIC") and (picture := _picture(name, body)):
                pictures.append(picture)
    if "GENRE" in texts:
        texts["GENRE"] = [GENRE_NUMBERS.sub("", value) for value in texts["GENRE"]]
    front = [data for kind, data in pictures if kind == FRONT_COVER] + [data for _, data in pictures]
    return texts, front[0] if front else b""


def encode(texts: Mapping[str, Sequence[str]], cover: bytes) -> bytes:
    """An ID3 tag of version 2.3 with these texts and this cover."""
    frames = [_text_frame(name, values) for name, values in texts.items()]
    if cover:
        head = b"\0" + media_type(cover).encode("ascii") + b"\0" + bytes([FRONT_COVER]) + b"\0"
        frames.append((b"APIC", head + cover))
    content = b"".join(struct.pack(">4sIH", name, len(body), 0) + body for name, body in frames)
    return b"ID3\3\0\0" + _synchsafe_bytes(len(content)) + content


def vorbis_name(label: str) -> str:
    """A label as the name of a Vorbis comment; empty if it has no character that such a name can have."""
    return NOT_IN_NAMES.sub("", label).upper()


def media_type(image: bytes) -> str:
    """The media type of a picture, by its first bytes; empty if it is neither JPEG nor PNG."""
    return next((kind for start, kind in IMAGES.items() if image.startswith(start)), "")


@dataclass(frozen=True)
class Frame:
    """A frame as it stands in the tag: its name, its two flags (none in 2.2), and its encoded body."""

    name: bytes
    flags: tuple[int, ...]
    body: bytes

    def decoded(self, version: int) -> bytes | None:
        """The content; None if it is compressed, encrypted or grouped."""
        flags = self.flags[1] if self.flags else 0
        if version < 4:
            return None if flags else self.body
        if flags & ~(FRAME_UNSYNCHRONISED | FRAME_LENGTH):
            return None
        body = self.body[4:] if flags & FRAME_LENGTH else self.body
        return _synchronised(body) if flags & FRAME_UNSYNCHRONISED else body

    def encode(self, version: int) -> bytes:
        """The frame as it stands in a tag of this version."""
        nb_bytes = len(self.body)
        size = _synchsafe_bytes(nb_bytes) if version == 4 else nb_bytes.to_bytes(3 if version == 2 else 4, "big")
        return HEADS[version].pack(self.name, size, *self.flags) + self.body


def with_title(content: bytes, title: str, suffix: str) -> bytes:
    """An ID3 tag with `suffix` after its title; `title` is what it has if it lacks one.

    All other frames stay as they are, and so do the bytes of the title, since they may be in a code page that the tag
    does not state. Raises ValueError, struct.error.
    """
    version, frames = _parse(content)
    name = b"TT2" if version == 2 else b"TIT2"
    flags = () if version == 2 else (0, 0)
    body = next((frame.decoded(version) for frame in frames if frame.name == name), None) or b""
    body = _extended_text(body, suffix) or b"\1" + f"\ufeff{title}{suffix}".encode("utf-16-le", "replace")
    others = [frame for frame in frames if frame.name != name]
    encoded = b"".join(frame.encode(version) for frame in [Frame(name, flags, body), *others])
    flags_of_tag = content[5] & UNSYNCHRONISED if version == 4 else 0  # its frames still are
    return b"ID3" + bytes([version, 0, flags_of_tag]) + _synchsafe_bytes(len(encoded)) + encoded


def _extended_text(body: bytes, suffix: str) -> bytes:
    """A text frame whose first value ends with `suffix`; empty if it has no text."""
    wide = body[:1] in (b"\1", b"\2")
    zero = bytes(1 + wide)
    first = next((start for start in range(1, len(body), len(zero)) if body[start : start + len(zero)] == zero), None)
    text = body[1:first]
    if not text or text in (b"\xff\xfe", b"\xfe\xff"):
        return b""
    if not wide:
        return body[:1] + text + suffix.encode("ascii", "replace")
    is_little = body[:1] == b"\1" and text[:2] != b"\xfe\xff"
    return body[:1] + text[: len(text) // 2 * 2] + suffix.encode("utf-16-le" if is_little else "utf-16-be")


def _frames(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The frames that can be read, as (name, body)."""
    version, frames = _parse(content)
    for frame in frames:
        if (body := frame.decoded(version)) is not None:
            yield frame.name, body


def _parse(content: bytes) -> tuple[int, list[Frame]]:
    """The version of a tag, and its frames up to the first damaged one."""
    magic, version, _, flags, size = struct.unpack_from(">3sBBB4s", content)
    if magic != b"ID3" or version not in HEADS:
        raise ValueError("not an ID3 tag of a known version")
    content = content[10 : 10 + _synchsafe(size)]
    if flags & UNSYNCHRONISED and version < 4:
        content = _synchronised(content)
    offset = _extended_header(content, version) if flags & EXTENDED and version > 2 else 0
    head = HEADS[version]
    frames = []
    while offset + head.size <= len(content) and content[offset]:
        name, size, *frame_flags = head.unpack_from(content, offset)
        offset += head.size
        length = _synchsafe(size) if version == 4 else int.from_bytes(size, "big")
        if offset + length > len(content):
            break
        frames.append(Frame(name, tuple(frame_flags), content[offset : offset + length]))
        offset += length
    return version, frames


def _extended_header(content: bytes, version: int) -> int:
    """The number of bytes of the extended header. 2.4 counts the four bytes of the length too; 2.3 does not."""
    return _synchsafe(content[:4]) if version == 4 else 4 + int.from_bytes(content[:4], "big")


def _values(body: bytes) -> list[str]:
    """The values of a text frame. 2.4 separates several values by zeros."""
    encoding = ENCODINGS[body[0]]
    if encoding == "latin-1":
        encoding = code_pages.likely_code_page(body[1:])  # many programs write their machine's code page
    text = body[1:].decode(encoding, "replace")
    return [value.lstrip("\ufeff") for value in text.rstrip("\0").split("\0")]


def _labelled(name: bytes, body: bytes) -> tuple[str, list[str]]:
    """A comment, lyrics, or a free text, as the name of its Vorbis comment and its values."""
    start = 1 if name in FREE_TEXTS else 4  # after the encoding, and a language
    label, *values = _values(body[:1] + body[start:])
    if name in FREE_TEXTS:
        return vorbis_name(label) or "TXXX", values
    return LONG_TEXTS[name], [value for value in values if not label.startswith("iTun")]  # figures of that program


def _picture(name: bytes, body: bytes) -> tuple[int, bytes] | None:
    """A picture's kind and content; None if it is only a link, or neither JPEG nor PNG."""
    wide = body[0] in (1, 2)
    kind_at = 4 if name == b"PIC" else body.index(b"\0", 1) + 1
    end = kind_at + 1
    while body[end : end + 1 + wide] != bytes(1 + wide):  # of the description
        end += 1 + wide
        if end >= len(body):
            return None
    data = body[end + 1 + wide :]
    return (body[kind_at], data) if media_type(data) else None


def _text_frame(name: str, values: Sequence[str]) -> tuple[bytes, bytes]:
    """The name and the body of a frame for a text; a free one if there is none of its own for it."""
    if name in FRAMES:
        return FRAMES[name][0], b"\1" + _text(name, values)
    if name in LONG_FRAMES:
        return LONG_FRAMES[name], b"\1und" + NO_LABEL + _text(name, values)
    return FREE_TEXTS[0], b"\1" + _text("", [name]) + b"\0\0" + _text(name, values)


def _text(name: str, values: Sequence[str]) -> bytes:
    text = "/".join(values)
    return ("\ufeff" + (text[:4] if name == "DATE" else text)).encode("utf-16-le", "replace")


def _synchronised(content: bytes) -> bytes:
    return content.replace(b"\xff\0", b"\xff")


def _synchsafe(size: bytes) -> int:
    """The number that is written with seven bits per byte."""
    number = 0
    for byte in size:
        number = number << 7 | byte & 0x7F
    return number


def _synchsafe_bytes(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
