"""The tags of a recording: title, artist, cover and so on, independent of the file format.

A WAV file has them in a LIST chunk of type INFO, in an `id3 ` chunk, or in both. ID3 wins, since it can hold more.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from audiofiles import id3, info

MAX_CHARACTERS = 20_000  # of one value: lyrics may be long
MAX_VALUES = 20  # of one tag
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Tags:
    """Texts by the names of Vorbis comments, each with one or more values, and the cover (JPEG or PNG), if any."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    cover: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.texts or self.cover)

    def for_stem(self, name: str, song: str) -> "Tags":
        """The tags of the stem `name`, with the title "<title> (<name>)"; `song` is the title if there is none."""
        return replace(self, texts={**self.texts, "TITLE": [self.title(song) + title_suffix(name)]})

    def title(self, song: str) -> str:
        """The title; `song` if there is none."""
        return self.texts.get("TITLE", [song])[0]


def title_suffix(stem: str) -> str:
    """What follows the song's title in the title of a stem."""
    return f" ({stem})"


def read(chunks: Iterable[tuple[bytes, bytes]], order: str) -> Tags:
    """The tags in the chunks of a WAV file, (name, content). What cannot be read of them is left out."""
    id3_texts: dict[str, list[str]] = {}
    info_texts: dict[str, list[str]] = {}
    cover = b""
    for name, content in chunks:
        with suppress(ValueError, IndexError, struct.error):
            if is_id3(name):
                found, picture = id3.read(content)
                id3_texts, cover = id3_texts | found, picture or cover
            elif is_info(name, content):
                info_texts = info.read(content[4:], order) | info_texts
    return Tags(cleaned(_merged(id3_texts, info_texts)), cover)


def _merged(id3_texts: dict[str, list[str]], info_texts: dict[str, list[str]]) -> dict[str, list[str]]:
    """ID3 wins, but not with a year alone over a date: ID3 2.3 has a frame for each of its parts."""
    year, date = (" ".join(texts.get("DATE", [])) for texts in (id3_texts, info_texts))
    return info_texts | id3_texts | ({"DATE": info_texts["DATE"]} if date.startswith(year) and date else {})


def is_id3(name: bytes) -> bool:
    """Whether a chunk of this name has an ID3 tag."""
    return name in (b"id3 ", b"ID3 ")


def is_info(name: bytes, content: bytes) -> bool:
    """Whether a chunk is a list of type INFO."""
    return name == b"LIST" and content[:4] == b"INFO"


def cleaned(texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Texts without control characters, of limited length and number, and without empty ones."""
    return {name: clean for name, values in texts.items() if (clean := _cleaned(values))}


def _cleaned(values: Sequence[str]) -> list[str]:
    cleaned = (CONTROL_CHARACTERS.sub("", value).strip()[:MAX_CHARACTERS] for value in values[:MAX_VALUES])
    return [value for value in cleaned if value]
