"""The containers that an input may have, told by their first bytes.

The names of FFmpeg's demuxers in this table are the only ones that are ever opened: no playlists and manifests (HLS,
DASH, SDP, concat), no sequences of pictures and no subtitles, since those may refer to other files or to addresses.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

HEAD_BYTES = 64
ID3_HEAD_BYTES = 10
MAX_LEADING_ZEROS = 1 << 16
MP4_BOXES = b"ftyp|moov|mdat|free|skip|wide|pnot"


@dataclass(frozen=True)
class Container:
    """A container: its name for people, and that of FFmpeg's demuxer, which is empty if only libsndfile reads it.

    `states_length`: its header states the length of its sound; the length of others is an estimate by FFmpeg.
    """

    title: str
    demuxer: str
    states_length: bool = True


MP3 = Container("MP3", "mp3", states_length=False)
_TABLE = [
    (
        rb"(RIFF|RIFX|RF64|BW64).{4}WAVE",
        Container("WAV", "wav", states_length=False),
    ),  # libsndfile says if it is cut off
    (rb"RIFF.{4}AVI ", Container("AVI", "avi", states_length=False)),
    (rb"riff\x2e\x91\xcf\x11", Container("W64", "w64")),
    (rb"FORM.{4}AIF[FC]", Container("AIFF", "aiff")),
    (rb"caff", Container("CAF", "caf")),
    (rb"\.snd", Container("AU", "au", states_length=False)),
    (rb"fLaC", Container("FLAC", "flac")),
    (rb"OggS", Container("Ogg", "ogg", states_length=False)),
    (rb".{4}(%b)" % MP4_BOXES, Container("MP4", "mov")),
    (rb"\x1a\x45\xdf\xa3", Container("Matroska", "matroska")),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Container("WMA", "asf")),
    (rb"#!AMR", Container("AMR", "amr", states_length=False)),
    (rb"wvpk", Container("WavPack", "wv")),
    (rb"\x0b\x77.{3}[\x00-\x57]", Container("AC-3", "ac3", states_length=False)),
    (rb"\x0b\x77", Container("E-AC-3", "eac3", states_length=False)),
    (rb"\xff[\xf0\xf1\xf8\xf9]", Container("AAC", "aac", states_length=False)),
    (rb"\xff[\xe2-\xe7\xea-\xef\xf2-\xf7\xfa-\xff]", MP3),  # MPEG audio of layers I to III
    (rb"FORM.{4}(8SVX|16SV)", Container("SVX", "")),
    (rb"Creative Voice File", Container("VOC", "")),
    (rb"NIST_1A", Container("NIST SPHERE", "")),
    (rb"\x64\xa3[\x01-\x04]\x00|\x00[\x01-\x04]\xa3\x64", Container("IRCAM", "")),
    (rb" paf|fap ", Container("PAF", "")),
    (rb"PVF1", Container("PVF", "")),
    (rb"2BIT", Container("AVR", "")),
    (rb"MATLAB 5\.0 MAT-file", Container("MAT5", "")),
    (rb"Extended Instrument: ", Container("XI", "")),
]
TABLE = [(re.compile(pattern, re.DOTALL), container) for pattern, container in _TABLE]


def detect(file: BinaryIO) -> Container | None:
    """Return the container of an open file; None if it is none of the table.

    MP3, AAC and others may have an ID3 tag in front. Programs that cut MP3s leave zeros there.
    """
    start = 0
    while (head := _read(file, start)).startswith(b"ID3") and len(head) >= ID3_HEAD_BYTES:
        start += ID3_HEAD_BYTES + _synchsafe(head[6:10])
    if found := _find(head):
        return found
    if start:
        return MP3  # its first frame may come after padding or bytes of a longer recording
    file.seek(0)
    return MP3 if _find(file.read(MAX_LEADING_ZEROS).lstrip(b"\0")) is MP3 else None


def _find(head: bytes) -> Container | None:
    return next((container for pattern, container in TABLE if pattern.match(head)), None)


def _read(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(HEAD_BYTES)


def _synchsafe(size: bytes) -> int:
    """The number that is written with seven bits per byte (id3.org, ID3v2.4, 6.2)."""
    number = 0
    for byte in size:
        number = number << 7 | byte & 0x7F
    return number
