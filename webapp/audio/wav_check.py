"""The check of an uploaded file: is it a WAV file that can be separated? Made before any work begins."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audiofiles import riff, wav_header
from audiofiles.wav_header import WavHeader
from webapp import atomic, limits
from webapp.errors import AudioError, AudioTooLong
from webapp.translation import mark_for_translation, translate

WAV_FORMATS = ("WAV", "WAVEX", "RF64")
MAX_CHANNELS = 8  # 7.1 surround; channels are separated in pairs
SECOND_PART = mark_for_translation(
    "The file has several parts with sound. As in most players, only the first one is separated."
)


@dataclass(frozen=True)
class AudioInfo:
    """What is known of a checked file. `cut_off`: it holds fewer samples than its header says.

    `remarks` are sentences for the visitor, keys to their translations, each with the values of its placeholders.
    """

    seconds: float
    cut_off: bool
    remarks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def check(path: Path) -> AudioInfo:
    """Check the header of the file at `path`. Raises AudioError or AudioTooLong if it cannot be separated.

    A data length of 0 that a streaming program left in the header is corrected in the file.
    """
    import soundfile  # imported here: it takes longer to load than everything else in a script

    if path.stat().st_size == 0:
        raise AudioError(translate("This file is empty."))
    _correct_unwritten_length(path)
    header = wav_header.read(path)
    try:
        info = soundfile.info(wav_header.readable(path))
    except soundfile.SoundFileError:
        raise AudioError(_unreadable_sentence(header)) from None
    if info.format not in WAV_FORMATS or header is None:
        raise AudioError(
            translate("This file is {format}, despite its name. Please choose a .wav file.", format=info.format_info)
        )
    if info.channels > MAX_CHANNELS:
        raise AudioError(
            translate(
                "This file has {channels} channels. Please choose one with at most {most}.",
                channels=info.channels,
                most=MAX_CHANNELS,
            )
        )
    if info.frames <= 0:
        raise AudioError(translate("There is no sound in this file."))
    seconds = info.frames / info.samplerate
    _check_length(seconds)
    remarks: dict[str, dict[str, str]] = {SECOND_PART: {}} if header.has_more_data else {}
    return AudioInfo(seconds, header.data.is_cut_off, remarks)


def _check_length(seconds: float) -> None:
    limit = limits.current().max_song_hours
    if seconds > limit * 3600:
        raise AudioTooLong(
            translate("This song is too long: at most {hours} hours can be separated.", hours=f"{limit:g}")
        )


def _unreadable_sentence(header: WavHeader | None) -> str:
    if header and header.format.is_compressed:
        return translate(
            "The sound in this file is encoded as {codec}, which cannot be read here. Please choose a .wav file with "
            "uncompressed sound (PCM).",
            codec=header.format.codec,
        )
    return translate("This file cannot be read as a sound file. Please choose a .wav file.")


def _correct_unwritten_length(path: Path) -> None:
    """Write the length of the samples into a header that states 0, which a streaming program has never completed.

    The application itself can do without, but browsers and other engines read the file too.
    """
    header = wav_header.read(path)
    if header and header.data.declared == 0 and header.data.length:
        with path.open("r+b") as file:
            file.seek(header.data.start - 4)
            length = min(header.data.length, riff.OPEN_LENGTH)
            file.write(struct.pack(f"{riff.byte_order(header.kind)}I", length))
            file.flush()
            atomic.sync(path)
