"""What a song's file says of it, title, artist, cover and such, as every format can say it.

A WAV holds it in a LIST chunk of the type INFO, in an `id3 ` chunk, or in both; then ID3 is believed, which has more.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from webapp.metadata import id3, riff

MOST_TEXT_BYTES, MOST_ID3_BYTES = 1 << 18, 1 << 24
LONGEST = 2000  # characters of one value
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# As Vorbis comments name them → as INFO does (Microsoft, Multimedia Programming Interface 1.0; track: by custom).
INFO = {
    "TITLE": b"INAM",
    "ARTIST": b"IART",
    "ALBUM": b"IPRD",
    "DATE": b"ICRD",
    "TRACKNUMBER": b"ITRK",
    "GENRE": b"IGNR",
    "COPYRIGHT": b"ICOP",
    "COMMENT": b"ICMT",
}


@dataclass(frozen=True)
class Tags:
    """Texts by the names of Vorbis comments, each with one value or more, and the cover, JPEG or PNG, if any."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    cover: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.texts or self.cover)

    def of_stem(self, name: str, song: str) -> "Tags":
        """Those of the stem `name` of the same song, which is called `song` if it has no title."""
        title = self.texts.get("TITLE", [song])[0]
        return replace(self, texts={**self.texts, "TITLE": [f"{title} ({name})"]})


def read(path: Path) -> Tags:
    """The tags of a WAV, whatever somebody wrote into it: what cannot be read is left out. Raises OSError."""
    texts: dict[str, list[str]] = {}
    cover = b""
    with path.open("rb") as file:
        order = riff.byte_order(file)
        for content, is_id3 in _contents(file):
            with suppress(ValueError, IndexError, struct.error):
                if is_id3:
                    found, picture = id3.read(content)
                    texts, cover = texts | found, picture or cover
                else:
                    texts = dict(_info(content, order)) | texts
    return Tags({name: clean for name, values in texts.items() if (clean := _cleaned(values))}, cover)


def are_in(path: Path) -> bool:
    """Whether a WAV has a chunk for tags. Raises OSError."""
    with path.open("rb") as file:
        return any(True for _ in _contents(file))


def info_chunk(tags: Tags) -> bytes:
    """The content of a LIST chunk of the type INFO, in UTF-8."""
    content = b"INFO"
    for name, values in tags.texts.items():
        if name in INFO:
            text = "/".join(values).encode() + b"\0"
            content += INFO[name] + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
    return content


def _contents(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """The contents of the chunks with tags, each with whether it is ID3; what is too long to be true is none."""
    for chunk in riff.chunks(file):
        file.seek(chunk.start)
        if chunk.name == b"LIST" and chunk.length <= MOST_TEXT_BYTES and file.read(4) == b"INFO":
            yield file.read(chunk.length - 4) if chunk.length > 4 else b"", False
        elif chunk.name in (b"id3 ", b"ID3 ") and chunk.length <= MOST_ID3_BYTES:
            yield file.read(chunk.length), True


def _info(content: bytes, order: str) -> Iterator[tuple[str, list[str]]]:
    names = {name: vorbis for vorbis, name in INFO.items()}
    place = 0
    while place + 8 <= len(content):
        name, length = struct.unpack_from(f"{order}4sI", content, place)
        if name in names:
            yield names[name], [_decoded(content[place + 8 : place + 8 + length].split(b"\0")[0])]
        place += 8 + length + length % 2


def _decoded(text: bytes) -> str:
    """INFO does not say its encoding: most programs write UTF-8 today, and wrote Windows' Western one before."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")


def _cleaned(values: list[str]) -> list[str]:
    cleaned = (UNSEEN.sub("", value).strip()[:LONGEST] for value in values[:20])
    return [value for value in cleaned if value]
