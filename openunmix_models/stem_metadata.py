"""What the stems take over from the input besides its samples: tags, markers and other chunks, and the channel layout.

Tags of formats that `audiofiles` does not know are read by libsndfile, which knows fewer of them.
"""

import os
import secrets
from dataclasses import replace
from pathlib import Path

import soundfile

from audiofiles import metadata, wav_header
from audiofiles.metadata import Metadata
from audiofiles.tags import Tags
from audiofiles.wav_header import ChannelLayout

from .errors import InputError

# libsndfile's names of strings → those of Vorbis comments.
STRINGS = {"title": "TITLE", "artist": "ARTIST", "album": "ALBUM", "date": "DATE", "tracknumber": "TRACKNUMBER"}
STRINGS |= {"genre": "GENRE", "copyright": "COPYRIGHT", "comment": "COMMENT", "license": "LICENSE"}


def encoded_path(path: Path) -> "bytes | str":
    """A path as soundfile opens it, which cannot encode every path itself."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def read_layout(path: Path) -> ChannelLayout | None:
    """The channel layout that the file states, if any. Raises InputError."""
    try:
        return metadata.read_layout(path)
    except OSError:
        raise InputError(f"{path.name} cannot be read as audio.") from None


def read_metadata(path: Path) -> Metadata:
    """What the file says besides its samples. Raises InputError."""
    try:
        found = metadata.read(path)
        if found or wav_header.read(path):
            return found
        with soundfile.SoundFile(encoded_path(path)) as file:
            return replace(found, tags=Tags(_strings(file)))
    except (OSError, soundfile.LibsndfileError, TypeError):
        raise InputError(f"{path.name} cannot be read as audio.") from None


def left_out(found: Metadata, ext: str) -> list[str]:
    """The names of the chunks that stems of the format `ext` do not get."""
    lost = [*found.left_out]
    if ext == ".w64":
        lost += [name.decode("ascii", "replace").strip() for name, _ in found.chunks]
        lost += ["tags"] if found.tags and not found.chunks else []
    return sorted(set(lost))


def write_metadata(part: Path, ext: str, stem: Metadata) -> None:
    """Write the metadata into a stem that has the format `ext`; .w64 has no place for them. Raises OSError."""
    if ext == ".wav":
        if stem.layout:
            wav_header.state_layout(part, stem.layout)
        if stem:
            metadata.write_wav(part, stem)
    elif ext == ".flac" and (stem or stem.layout):
        _replace_flac(part, stem)


def _replace_flac(part: Path, stem: Metadata) -> None:
    tagged = part.with_name(f".tagged-{secrets.token_hex(4)}.part")
    try:
        with part.open("rb") as file, tagged.open("wb") as to:
            metadata.write_flac(file, to, stem)
        tagged.replace(part)
    except BaseException:
        tagged.unlink(missing_ok=True)
        raise


def _strings(file: soundfile.SoundFile) -> dict[str, list[str]]:
    return {name: [text] for string, name in STRINGS.items() if (text := getattr(file, string))}
