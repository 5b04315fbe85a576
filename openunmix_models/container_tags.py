"""The tags of an encoded recording: from FFmpeg's names to those of Vorbis comments."""

from collections.abc import Mapping

from audiofiles import id3, tags

# Where the name is not the same. FFmpeg has some names from the container as they are (ID3 frames, MP4 atoms).
NAMES = {
    "album_artist": "ALBUMARTIST",
    "track": "TRACKNUMBER",
    "disc": "DISCNUMBER",
    "tsrc": "ISRC",
    "tbpm": "BPM",
    "tmpo": "BPM",
    "tkey": "INITIALKEY",
    "publisher": "ORGANIZATION",
}
# What describes the container or the encoder, and not the recording.
TECHNICAL = """
    major_brand minor_version compatible_brands encoder handler_name vendor_id duration creation_time language
    bps number_of_frames number_of_bytes software_version devicesconformancetemplate wm/encodingtime iscbr isvbr
"""
MAX_NAMES = 100


def texts(found: Mapping[str, str]) -> dict[str, list[str]]:
    """The texts that describe the recording, by the names of Vorbis comments; `found` has FFmpeg's, in lower case."""
    kept = {_name(name): [text] for name, text in found.items() if _describes_recording(name)}
    kept.pop("", None)
    return dict(list(tags.cleaned(kept).items())[:MAX_NAMES])


def _describes_recording(name: str) -> bool:
    return name not in TECHNICAL.split() and not name.startswith("_statistics")


def _name(name: str) -> str:
    if name.startswith("lyrics-"):  # followed by the language
        return "LYRICS"
    return NAMES.get(name, id3.vorbis_name(name))
