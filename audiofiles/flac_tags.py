"""The metadata of a FLAC file (RFC 9639), which are blocks before the audio frames.

Texts are Vorbis comments, the cover is a picture block, and the channel layout is a comment (section 8.6.2), because
programs differ in the layout that they assume for a number of channels. The chunks of a WAV file are kept in
APPLICATION blocks of the id `riff`, from which `flac --decode --keep-foreign-metadata` makes a WAV file with the same
chunks.
"""

import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from audiofiles.id3 import FRONT_COVER, media_type
from audiofiles.riff import encode_chunk
from audiofiles.wav_header import ChannelLayout, encode_format

MAGIC = b"fLaC"
STREAMINFO, PADDING, APPLICATION, COMMENTS, PICTURE = 0, 1, 2, 4, 6
LAST = 0x80
MAX_BLOCK_BYTES = (1 << 24) - 1
MAX_METADATA_BYTES = 1 << 26
COPY_BYTES = 1 << 20
RIFF = b"riff"
MASK_COMMENT = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
WRITERS = ("ENCODER", "ENCODING")  # the program that wrote the file, which says nothing of the recording
DEFAULT_MASKS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}  # section 9.1.3


@dataclass(frozen=True)
class Blocks:
    """What the metadata blocks of a file say. `chunks` are those of the WAV file that it was made of."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    cover: bytes = b""
    chunks: Sequence[tuple[bytes, bytes]] = ()
    layout: ChannelLayout | None = None


def is_flac(file: BinaryIO) -> bool:
    """Whether an open file is FLAC."""
    file.seek(0)
    return file.read(4) == MAGIC


def read_shape(file: BinaryIO) -> tuple[int, int]:
    """The sample rate and the number of channels of an open file. Raises ValueError if it is damaged."""
    sample_rate, nb_channels, *_ = _stream_info(_read_blocks(file)[0])
    return sample_rate, nb_channels


def read(file: BinaryIO) -> Blocks:
    """The metadata of an open file. Raises ValueError if it is damaged."""
    blocks, _ = _read_blocks(file)
    texts: dict[str, list[str]] = {}
    for content in (content for kind, content in blocks if kind == COMMENTS):
        for name, value in _read_comments(content):
            if name.upper() not in WRITERS:
                texts.setdefault(name.upper(), []).append(value)
    pictures = [found for kind, content in blocks if kind == PICTURE and (found := _read_picture(content))]
    front = [image for kind, image in pictures if kind == FRONT_COVER] + [image for _, image in pictures]
    chunks = [
        (content[4:8], content[12 : 12 + int.from_bytes(content[8:12], "little")])
        for kind, content in blocks
        if kind == APPLICATION and content[:4] == RIFF and len(content) >= 12
    ]
    return Blocks(texts, front[0] if front else b"", chunks, _read_layout(blocks, texts.pop(MASK_COMMENT, [""])[0]))


def write(
    file: BinaryIO,
    tagged: BinaryIO,
    texts: Mapping[str, Sequence[str]],
    cover: bytes,
    chunks: Sequence[tuple[bytes, bytes]] = (),
    layout: ChannelLayout | None = None,
) -> None:
    """Write the FLAC file `file` with other metadata to `tagged`. The audio frames are copied unchanged.

    Raises ValueError if it is not a FLAC file, and OSError.
    """
    former, vendor = _read_blocks(file)
    blocks = [(kind, content) for kind, content in former if not _is_replaced(kind, content)]
    stream = _stream_info(former)
    if layout and not layout.is_default(stream[1]):
        texts = {**texts, MASK_COMMENT: [f"0x{layout.mask:04X}"]}
    blocks.append((COMMENTS, _comments(vendor, texts)))
    if cover:
        blocks.append((PICTURE, _picture(cover)))
    if chunks:
        blocks += [(APPLICATION, RIFF + content) for content in _wav_parts(chunks, stream, layout)]
    blocks = [(kind, content) for kind, content in blocks if len(content) <= MAX_BLOCK_BYTES]
    tagged.write(MAGIC)
    for number, (kind, content) in enumerate(blocks, 1):
        last = LAST if number == len(blocks) else 0
        tagged.write(struct.pack(">I", (last | kind) << 24 | len(content)) + content)
    shutil.copyfileobj(file, tagged, COPY_BYTES)


def _read_blocks(file: BinaryIO) -> tuple[list[tuple[int, bytes]], bytes]:
    """All blocks, as (kind, content), and the vendor string. Leaves `file` at the first audio frame."""
    if not is_flac(file):
        raise ValueError("not a FLAC file")
    blocks: list[tuple[int, bytes]] = []
    vendor, last, nb_bytes = b"", 0, 0
    while not last:
        head = file.read(4)
        if len(head) < 4 or nb_bytes > MAX_METADATA_BYTES:
            raise ValueError("a FLAC file without audio frames")
        last, kind = head[0] & LAST, head[0] & ~LAST
        content = file.read(int.from_bytes(head[1:], "big"))
        nb_bytes += len(content)
        if kind == COMMENTS:
            vendor = content[4 : 4 + int.from_bytes(content[:4], "little")]
        blocks.append((kind, content))
    return blocks, vendor


def _is_replaced(kind: int, content: bytes) -> bool:
    return kind in (PADDING, COMMENTS, PICTURE) or (kind == APPLICATION and content[:4] == RIFF)


def _stream_info(blocks: Sequence[tuple[int, bytes]]) -> tuple[int, int, int, int]:
    """The sample rate, the channels, the bits of a sample, and the number of samples (section 8.2)."""
    content = next((content for kind, content in blocks if kind == STREAMINFO), b"")
    if len(content) < 18:
        raise ValueError("a FLAC file without STREAMINFO")
    bits = int.from_bytes(content[10:18], "big")
    return bits >> 44, (bits >> 41 & 7) + 1, (bits >> 36 & 31) + 1, bits & (1 << 36) - 1


def _read_layout(blocks: Sequence[tuple[int, bytes]], stated: str) -> ChannelLayout | None:
    """The layout that a comment states, or that of the number of channels; None for one and two of them."""
    try:
        return ChannelLayout(int(stated, 16))
    except ValueError:
        nb_channels = _stream_info(blocks)[1]
        return ChannelLayout(DEFAULT_MASKS[nb_channels]) if nb_channels > 2 else None


def _read_comments(content: bytes) -> Iterator[tuple[str, str]]:
    offset = 4 + int.from_bytes(content[:4], "little")
    offset += 4  # the number of comments
    while offset + 4 <= len(content):
        length = int.from_bytes(content[offset : offset + 4], "little")
        name, _, value = content[offset + 4 : offset + 4 + length].decode("utf-8", "replace").partition("=")
        yield name, value
        offset += 4 + length


def _comments(vendor: bytes, texts: Mapping[str, Sequence[str]]) -> bytes:
    comments = [f"{name}={value}".encode() for name, values in texts.items() for value in values]
    return _counted(vendor) + struct.pack("<I", len(comments)) + b"".join(map(_counted, comments))


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _read_picture(content: bytes) -> tuple[int, bytes] | None:
    """A picture's kind and content; None if it is neither JPEG nor PNG."""
    offset = 8 + int.from_bytes(content[4:8], "big")
    offset += 4 + int.from_bytes(content[offset : offset + 4], "big") + 16
    image = content[offset + 4 : offset + 4 + int.from_bytes(content[offset : offset + 4], "big")]
    return (int.from_bytes(content[:4], "big"), image) if media_type(image) else None


def _picture(image: bytes) -> bytes:
    """Width, height, depth and number of colours are 0, which means that they are not stated here."""
    kind = media_type(image).encode("ascii")
    return struct.pack(">II", FRONT_COVER, len(kind)) + kind + struct.pack(">6I", 0, 0, 0, 0, 0, len(image)) + image


def _wav_parts(
    chunks: Sequence[tuple[bytes, bytes]], stream: tuple[int, int, int, int], layout: ChannelLayout | None
) -> Iterator[bytes]:
    """The parts of a WAV file around its samples: the header, the format, the head of `data`, and these chunks."""
    sample_rate, nb_channels, bits, nb_samples = stream
    format = encode_chunk(b"fmt ", encode_format(sample_rate, nb_channels, bits, layout=layout))
    others = [encode_chunk(name, content) for name, content in chunks]
    nb_bytes = nb_samples * nb_channels * ((bits + 7) // 8)
    length = 4 + len(format) + 8 + nb_bytes + nb_bytes % 2 + sum(map(len, others))
    yield struct.pack("<4sI4s", b"RIFF", min(length, 0xFFFFFFFF), b"WAVE")
    yield format
    yield struct.pack("<4sI", b"data", min(nb_bytes, 0xFFFFFFFF))
    yield from others
