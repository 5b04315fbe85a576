"""What a recording's file says besides its samples: chunks, tags, cover, and how stems and mixes get them.

Stems have the length and the rate of their song, so that markers, loops, time codes and tempo hold for them too. All
chunks are carried over as they are, except those that describe the file's structure or its very samples. The title
gets the stem's name.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from audiofiles import flac_tags, id3, info, riff, tags, wav_header
from audiofiles.tags import Tags, is_id3, is_info, title_suffix
from audiofiles.wav_header import ChannelLayout

Chunk = tuple[bytes, bytes]  # name and content

MAX_CHUNK_BYTES = 1 << 24
MAX_BYTES = 1 << 26  # of all chunks of a file
STRUCTURE = {b"RIFF", b"fmt ", b"data", b"ds64", b"fact", b"slnt", b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr"}
OF_SAMPLES = {b"PEAK", b"levl", b"MD5 "}  # peaks and checksums
TEXTS = {b"id3 ", b"ID3 ", b"_PMX", b"bext"}  # that hold for a part of the file and at another sample rate too
BEXT_TIME, BEXT_VERSION, BEXT_LOUDNESS = 338, 346, 412  # offsets (EBU Tech 3285, version 2)
LOUDNESS_NOT_STATED = struct.pack("<5h", *[0x7FFF] * 5)


@dataclass(frozen=True)
class Metadata:
    """The chunks of a file, its tags, and the layout of its channels.

    `left_out` names chunks that are too long to be carried over, or that do not hold for what is written.
    """

    chunks: Sequence[Chunk] = ()
    tags: Tags = field(default_factory=Tags)
    layout: ChannelLayout | None = None
    sample_rate: int = 0
    nb_channels: int = 0
    left_out: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.chunks or self.tags)

    def for_part(self, first_sample: int) -> "Metadata":
        """The same for a part of the recording that begins with `first_sample`; positions do not hold for it."""
        shifted = [(name, _shift_time(content, first_sample) if name == b"bext" else content)
                   for name, content in self.chunks if _is_text(name, content)]  # fmt: skip
        return replace(self, chunks=shifted, left_out=[*self.left_out, *self._names_of_positions()])

    def fitting(self, sample_rate: int, nb_channels: int) -> "Metadata":
        """The same as far as it holds for a file of this form, which a program with its own settings has made."""
        fitting = self if sample_rate == self.sample_rate else self.at_other_rate()
        return fitting if nb_channels == self.nb_channels else replace(fitting, layout=None)

    def at_other_rate(self) -> "Metadata":
        """The same for a file of another sample rate, by which positions in samples do not hold, nor time codes."""
        kept = [chunk for chunk in self.chunks if _is_text(*chunk) and chunk[0] != b"bext"]
        return replace(self, chunks=kept, left_out=[*self.left_out, *self._names_of_positions()])

    def for_stem(self, stem: str, song: str) -> "Metadata":
        """The metadata of the stem `stem`. The title of a song that has none is `song`."""
        title, suffix = self.tags.title(song), title_suffix(stem)
        chunks = [_chunk_of_stem(chunk, title, suffix, bool(self.tags)) for chunk in self.chunks]
        return replace(self, chunks=chunks, tags=self.tags.for_stem(stem, song) if self.tags else self.tags)

    def with_comment(self, comment: str) -> "Metadata":
        """The same with one more comment. The tags are encoded anew, so that they have it in both of their forms."""
        others = [chunk for chunk in self.chunks if not _is_tag(*chunk)]
        texts = {**self.tags.texts, "COMMENT": [*self.tags.texts.get("COMMENT", []), comment]}
        return replace(self, chunks=others, tags=replace(self.tags, texts=texts))

    def wav_chunks(self) -> list[Chunk]:
        """The chunks of a WAV file, with the tags in both of their forms, unless their encoding is only guessed."""
        infos = [content for name, content in self.chunks if is_info(name, content)]
        chunks = list(self.chunks)
        if self.tags.texts and not infos:
            chunks.append((b"LIST", info.encode(self.tags.texts)))
        is_clear = all(info.is_unambiguous(content[4:]) for content in infos)
        if self.tags and is_clear and not any(is_id3(name) for name, _ in self.chunks):
            chunks.append((b"id3 ", id3.encode(self.tags.texts, self.tags.cover)))
        return sorted(chunks, key=lambda chunk: is_id3(chunk[0]))  # libsndfile ignores what follows ID3 in RF64

    def _names_of_positions(self) -> list[str]:
        return [_printed(name) for name, content in self.chunks if not _is_text(name, content)]


def read(path: Path) -> Metadata:
    """The metadata of a WAV or FLAC file, or of another one that begins with an ID3 tag. Raises OSError."""
    with path.open("rb") as file:
        if flac_tags.is_flac(file):
            try:
                return _read_flac(file)
            except ValueError:
                return Metadata()
        kind, _ = riff.find_form(file)
        order = riff.byte_order(kind)
        chunks, left_out = _read_chunks(file)
        found = tags.read(chunks, order)
        if order == ">":  # the numbers in other chunks are big-endian, and a stem's are not
            left_out += [_printed(name) for name, content in chunks if not _is_tag(name, content)]
            chunks = [_little_endian(*chunk) for chunk in chunks if _is_tag(*chunk)]
        if (header := wav_header.read_header(file)) is None:
            return Metadata(chunks, found, left_out=left_out)
    format = header.format
    return Metadata(chunks, found, format.layout, format.sample_rate, format.nb_channels, left_out)


def read_layout(path: Path) -> ChannelLayout | None:
    """The channel layout that a WAV or FLAC file states, if any. Raises OSError."""
    with path.open("rb") as file:
        if flac_tags.is_flac(file):
            with suppress(ValueError):
                return flac_tags.read(file).layout
        header = wav_header.read_header(file)
        return header.format.layout if header else None


def read_shape(path: Path) -> tuple[int, int]:
    """The sample rate and the number of channels of a WAV or FLAC file. Raises ValueError if it is damaged, OSError."""
    with path.open("rb") as file:
        if flac_tags.is_flac(file):
            return flac_tags.read_shape(file)
        header = wav_header.read_header(file)
    if header is None:
        raise ValueError("not a WAV or FLAC file")
    return header.format.sample_rate, header.format.nb_channels


def exists(path: Path) -> bool:
    """Whether a WAV file has anything to carry over. Raises OSError."""
    with path.open("rb") as file:
        return riff.id3_length(file) > 0 or any(_is_carried(chunk) for chunk in riff.chunks(file))


def write_wav(path: Path, metadata: Metadata) -> None:
    """Write the metadata of a WAV file, in the place of all chunks after its samples, which stay as they are.

    Raises ValueError if the file is damaged, and OSError.
    """
    riff.replace_trailing_chunks(path, metadata.wav_chunks())


def write_flac(file: BinaryIO, tagged: BinaryIO, metadata: Metadata) -> None:
    """Write the FLAC file `file` with this metadata to `tagged`. Raises ValueError if it is damaged, and OSError."""
    others = [chunk for chunk in metadata.chunks if not _is_tag(*chunk)]
    flac_tags.write(file, tagged, metadata.tags.texts, metadata.tags.cover, others, metadata.layout)


def _read_chunks(file: BinaryIO) -> tuple[list[Chunk], list[str]]:
    """The chunks to carry over, and the names of those that are too long."""
    chunks: list[Chunk] = []
    left_out = []
    nb_bytes = 0
    if id3_length := riff.id3_length(file):
        file.seek(0)
        chunks.append((b"id3 ", file.read(min(id3_length, MAX_CHUNK_BYTES))))
    for chunk in riff.chunks(file):
        if not _is_carried(chunk):
            continue
        nb_bytes += chunk.length
        if chunk.length > MAX_CHUNK_BYTES or nb_bytes > MAX_BYTES:
            left_out.append(_printed(chunk.name))
            continue
        file.seek(chunk.start)
        content = file.read(chunk.length)
        if (chunk.name, content[:4]) != (b"LIST", b"wavl"):  # samples
            chunks.append((chunk.name, content))
    return chunks, left_out


def _is_carried(chunk: riff.Chunk) -> bool:
    return chunk.name not in STRUCTURE | OF_SAMPLES and riff.is_name(chunk.name) and not chunk.is_cut_off


def _read_flac(file: BinaryIO) -> Metadata:
    blocks, (sample_rate, nb_channels) = flac_tags.read(file), flac_tags.read_shape(file)
    chunks = [chunk for chunk in blocks.chunks if chunk[0] not in STRUCTURE | OF_SAMPLES]
    return Metadata(chunks, Tags(tags.cleaned(blocks.texts), blocks.cover), blocks.layout, sample_rate, nb_channels)


def _is_tag(name: bytes, content: bytes) -> bool:
    return is_id3(name) or is_info(name, content)


def _is_text(name: bytes, content: bytes) -> bool:
    """Whether a chunk holds for a part of the recording, too."""
    return name in TEXTS or is_info(name, content)


def _printed(name: bytes) -> str:
    return name.decode("ascii", "replace").strip()


def _little_endian(name: bytes, content: bytes) -> Chunk:
    return (name, info.little_endian(content[4:])) if is_info(name, content) else (name, content)


def _chunk_of_stem(chunk: Chunk, title: str, suffix: str, has_tags: bool) -> Chunk:
    """A chunk of the song as a stem has it: the title names the stem, and the song's loudness is not stated."""
    name, content = chunk
    with suppress(ValueError, IndexError, struct.error):  # a damaged chunk is carried over as it is
        if is_info(name, content) and has_tags:
            return name, info.with_title(content[4:], title, suffix)
        if is_id3(name):
            return name, id3.with_title(content, title, suffix)
        if name == b"bext" and struct.unpack_from("<H", content, BEXT_VERSION)[0] >= 2:
            return name, _replaced(content, BEXT_LOUDNESS, LOUDNESS_NOT_STATED)
    return chunk


def _shift_time(bext: bytes, nb_samples: int) -> bytes:
    """A `bext` chunk whose time reference, in samples since midnight, is later by `nb_samples`."""
    with suppress(struct.error):
        time = struct.unpack_from("<Q", bext, BEXT_TIME)[0]
        return _replaced(bext, BEXT_TIME, struct.pack("<Q", time + nb_samples))
    return bext


def _replaced(content: bytes, offset: int, part: bytes) -> bytes:
    return content[:offset] + part + content[offset + len(part) :]
