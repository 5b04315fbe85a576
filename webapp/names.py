"""What files are called that leave this machine: after the song, and so that every system can store them."""

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from webapp.jobs import Job

UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])\s*(\.|$)", re.IGNORECASE)  # devices to Windows
LONGEST = 180  # bytes of a song's name in UTF-8; most systems take 255 for the whole


def song(job: Job) -> str:
    """The song's name without its ending, as a part of a file's name."""
    name = UNSAFE.sub("_", PurePosixPath(job.name).stem).strip(" ._")
    name = name.encode()[:LONGEST].decode("utf-8", "ignore").rstrip(" .") or "song"
    return f"_{name}" if RESERVED.match(name) else name


def stem(job: Job, name: str, ending: str) -> str:
    """What the stem `name` is called outside, "<song> - vocals.wav"; `ending` with its dot."""
    return f"{song(job)} - {name}{ending}"


def attachment(filename: str) -> str:
    """A `Content-Disposition` that offers `filename`, in any script (RFC 6266), plainly for old programs."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
