"""Names of downloaded files: after the song, and valid on every operating system."""

import re
from pathlib import PurePosixPath

from webapp.jobs.job import Job

# Control characters, characters that Windows forbids, and marks that change the direction of text.
UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])\s*(\.|$)", re.IGNORECASE)  # devices on Windows
MAX_NAME_BYTES = 180  # of a song's name in UTF-8; most file systems allow 255 for the whole file name


def song_name(job: Job) -> str:
    """The song's name without its extension, safe as a part of a file name."""
    name = UNSAFE.sub("_", PurePosixPath(job.name).stem).strip(" ._")
    name = name.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").rstrip(" .") or "song"
    return f"_{name}" if RESERVED.match(name) else name


def stem_file_name(job: Job, stem: str, extension: str) -> str:
    """The file name of a downloaded stem, "<song> - vocals.wav"; `extension` includes the dot."""
    return f"{song_name(job)} - {stem}{extension}"
