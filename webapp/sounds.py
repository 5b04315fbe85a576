"""Is it a sound that can be separated? Asked before any work begins."""

import os
import struct
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from webapp import limits
from webapp.metadata import riff
from webapp.metadata.riff import OPEN_LENGTH
from webapp.refusal import Refusal
from webapp.words import say

WAV_FORMATS = ("WAV", "WAVEX", "RF64")
MAX_CHANNELS = 8  # 7.1 surround; they are separated pair by pair
FLAC_CHANNELS, FLAC_RATE = 8, 655_350  # RFC 9639, 8.2


@dataclass(frozen=True)
class Sound:
    """What is known of a checked file. `cut_off`: it holds fewer samples than its header promises."""

    seconds: float
    cut_off: bool


def check(path: Path) -> Sound:
    """Look at the file's head. Raises Refusal (400, 413) with a sentence that says why it cannot be separated."""
    import soundfile  # here, since it takes longer to load than all the rest

    if path.stat().st_size == 0:
        raise _refusal(say("This file is empty."))
    _open_unwritten_length(path)
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        raise _refusal(say("This file is not a sound that can be read. Please choose a .wav file.")) from None
    if info.format not in WAV_FORMATS:
        sentence = say(
            "This file is {format}, whatever its name says. Please choose a .wav file.", format=info.format_info
        )
        raise _refusal(sentence)
    if info.channels > MAX_CHANNELS:
        sentence = say(
            "This file has {channels} channels. Please choose one with {most} at most.",
            channels=info.channels,
            most=MAX_CHANNELS,
        )
        raise _refusal(sentence)
    if info.frames <= 0:
        raise _refusal(say("There is no sound in this file."))
    _check_length(info.frames / info.samplerate)
    return Sound(seconds=info.frames / info.samplerate, cut_off=_is_cut_off(path))


def check_flac(path: Path) -> None:
    """Raise Refusal (400) with a sentence if FLAC cannot hold what the file at `path` holds."""
    import soundfile

    info = soundfile.info(path)
    if info.channels > FLAC_CHANNELS:
        sentence = say(
            "FLAC has room for {most} channels, and this file has {channels}. Please choose WAV.",
            most=FLAC_CHANNELS,
            channels=info.channels,
        )
        raise _refusal(sentence)
    if info.samplerate > FLAC_RATE:
        sentence = say(
            "FLAC goes up to {most} Hz, and this file has {rate}. Please choose WAV.",
            most=FLAC_RATE,
            rate=info.samplerate,
        )
        raise _refusal(sentence)


def _check_length(seconds: float) -> None:
    most = limits.in_force().max_song_hours
    if seconds > most * 3600:
        sentence = say("This song is too long: at most {hours} hours can be separated.", hours=f"{most:g}")
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)


def _open_unwritten_length(path: Path) -> None:
    """A program that streams may also leave the length of its samples at 0, which libsndfile takes for silence."""
    with path.open("r+b") as file:
        head = file.read(12)
        start, promised = _find_data(file)
        if start and promised == 0 and struct.unpack("<4xI4x", head)[0] + 8 <= start:
            file.seek(start - 4)
            file.write(struct.pack("<I", OPEN_LENGTH))
            file.flush()
            os.fsync(file.fileno())


def _is_cut_off(path: Path) -> bool:
    """Whether the file ends before its samples do."""
    with path.open("rb") as file:
        start, promised = _find_data(file)
    return promised != OPEN_LENGTH and start + promised > path.stat().st_size


def _find_data(file: BinaryIO) -> tuple[int, int]:
    """Where the samples begin, and how many bytes of them the head promises."""
    return next(((chunk.start, chunk.length) for chunk in riff.chunks(file) if chunk.name == b"data"), (0, 0))


def _refusal(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, sentence)
