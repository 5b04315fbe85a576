"""The texts in a LIST chunk of type INFO (Microsoft, Multimedia Programming Interface 1.0)."""

import struct
from collections.abc import Iterator, Mapping, Sequence

from audiofiles import code_pages
from audiofiles.riff import encode_chunk

# Names of Vorbis comments → those of INFO; ITRK by convention. An item that is not listed has its own name in both.
NAMES = {
    "TITLE": b"INAM",
    "ARTIST": b"IART",
    "ALBUM": b"IPRD",
    "DATE": b"ICRD",
    "TRACKNUMBER": b"ITRK",
    "GENRE": b"IGNR",
    "COPYRIGHT": b"ICOP",
    "COMMENT": b"ICMT",
}
COMMENTS = {item: name for name, item in NAMES.items()}
WRITER = b"ISFT"  # the program that wrote the file, which says nothing of the recording


def read(content: bytes, order: str) -> dict[str, list[str]]:
    """The texts by the names of Vorbis comments; `content` begins after the list's type."""
    items = [(item, text) for item, text in _items(content, order) if item != WRITER and text]
    if not items:
        return {}
    guessed = b" ".join(text for _, text in items if not code_pages.is_unambiguous(text))
    code_page = code_pages.likely_code_page(guessed)
    texts: dict[str, list[str]] = {}
    for item, text in items:
        decoded = text.decode("utf-8") if code_pages.is_unambiguous(text) else text.decode(code_page, "replace")
        texts.setdefault(COMMENTS.get(item, item.decode("ascii", "replace").strip()), [decoded])
    return texts


def encode(texts: Mapping[str, Sequence[str]]) -> bytes:
    """The content of a LIST chunk, in UTF-8."""
    items = [(NAMES[name], "/".join(values).encode() + b"\0") for name, values in texts.items() if name in NAMES]
    return b"INFO" + b"".join(encode_chunk(*item) for item in items)


def with_title(content: bytes, title: str, suffix: str) -> bytes:
    """The content, which begins after the list's type, of a LIST chunk with `suffix` after its title.

    `title` is what it has if it lacks one. All bytes stay as they are, since they do not state their encoding.
    """
    items = list(_items(content))
    if not any(item == b"INAM" and text for item, text in items):
        items = [(item, text) for item, text in items if item != b"INAM"] + [(b"INAM", title.encode())]
    endings = {b"INAM": suffix.encode()}
    return b"INFO" + b"".join(encode_chunk(item, text + endings.get(item, b"") + b"\0") for item, text in items)


def little_endian(content: bytes) -> bytes:
    """The content of a little-endian LIST chunk, from that of a big-endian one, which begins after the list's type."""
    return b"INFO" + b"".join(encode_chunk(item, text + b"\0") for item, text in _items(content, ">"))


def is_unambiguous(content: bytes) -> bool:
    """Whether the encoding of all texts is known."""
    return all(code_pages.is_unambiguous(text) for _, text in _items(content))


def _items(content: bytes, order: str = "<") -> Iterator[tuple[bytes, bytes]]:
    """The items, as (name, text)."""
    offset = 0
    while offset + 8 <= len(content):
        item, length = struct.unpack_from(f"{order}4sI", content, offset)
        yield item, content[offset + 8 : offset + 8 + length].split(b"\0")[0]
        offset += 8 + length + length % 2
