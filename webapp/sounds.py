"""Is it a sound that can be separated? Asked before any work begins."""

import struct
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from webapp.refusal import Refusal

WAV_FORMATS = ("WAV", "WAVEX", "RF64")
MAX_CHANNELS = 2
UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # what a program writes that streams a WAV and never comes back to its head


@dataclass(frozen=True)
class Sound:
    """What is known of a checked file. `cut_off`: it holds fewer samples than its header promises."""

    seconds: float
    cut_off: bool


def check(path: Path) -> Sound:
    """Look at the file's head. Raises Refusal (400) with a sentence that says why it cannot be separated."""
    import soundfile  # here, since it takes longer to load than all the rest

    if path.stat().st_size == 0:
        raise _refusal("This file is empty.")
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        raise _refusal("This file is not a sound that can be read. Please choose a .wav file.") from None
    if info.format not in WAV_FORMATS:
        raise _refusal(f"This file is {info.format_info}, whatever its name says. Please choose a .wav file.")
    if info.channels > MAX_CHANNELS:
        raise _refusal(f"This file has {info.channels} channels. Please choose one with one channel or two.")
    if info.frames <= 0:
        raise _refusal("There is no sound in this file.")
    return Sound(seconds=info.frames / info.samplerate, cut_off=_is_cut_off(path))


def _is_cut_off(path: Path) -> bool:
    """Whether the file ends before its `data` chunk does (RIFF, and RF64 of EBU Tech 3306)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        long_data = 0
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"ds64" and length >= 16:
                long_data = struct.unpack("<8xQ", file.read(16))[0]
                length -= 16
            if name == b"data":
                promised = long_data or (0 if length in UNKNOWN_LENGTHS else length)
                return file.tell() + promised > size
            file.seek(length + length % 2, 1)
    return False


def _refusal(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, sentence)
