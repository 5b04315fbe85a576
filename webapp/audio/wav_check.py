"""The check of an uploaded file: is it a WAV file that can be separated? Made before any work begins."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audiofiles import riff, wav_header
from audiofiles.wav_header import WavHeader
from webapp import atomic, limits
from webapp.errors import AudioError, AudioTooLong
from webapp.translation import mark_for_translation, translate

WAV_FORMATS = ("WAV", "WAVEX", "RF64")
MAX_SAMPLE_RATE = (1 << 31) - 1  # of libsndfile
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


class Sound(NamedTuple):
    """The size of the sound in a file. `nb_samples` counts those of one channel; `sample_rate` is in Hz."""

    nb_channels: int
    sample_rate: int
    nb_samples: int


def check(path: Path) -> AudioInfo:
    """Check the header of the file at `path`. Raises AudioError or AudioTooLong if it cannot be separated.

    A data length of 0 that a streaming program left in the header is corrected in the file.
    """
    if path.stat().st_size == 0:
        raise AudioError(translate("This file is empty."))
    _correct_unwritten_length(path)
    header = wav_header.read(path)
    if header and _is_ordinary(header):
        sound = _stated_sound(header)
    else:
        header, sound = _read_by_libsndfile(path, header)
    if sound.nb_channels > MAX_CHANNELS:
        raise AudioError(
            translate(
                "This file has {channels} channels. Please choose one with at most {most}.",
                channels=sound.nb_channels,
                most=MAX_CHANNELS,
            )
        )
    if sound.nb_samples <= 0:
        raise AudioError(translate("There is no sound in this file."))
    seconds = sound.nb_samples / sound.sample_rate
    _check_length(seconds)
    remarks: dict[str, dict[str, str]] = {SECOND_PART: {}} if header.has_more_data else {}
    return AudioInfo(seconds, header.data.is_cut_off, remarks)


def _is_ordinary(header: WavHeader) -> bool:
    """Whether the header is of the kind that nearly all files have, and libsndfile is certain to read the same from it.

    An upload then takes half the CPU time, because libsndfile and NumPy take as long to load as the rest of the script.
    """
    format = header.format
    return (
        header.kind == b"RIFF"
        and header.is_plain
        and format.is_usable
        and not format.is_compressed
        and format.bits == 8 * format.sample_bytes
        and format.sample_rate <= MAX_SAMPLE_RATE
        and (format.layout is None or format.layout.guid_tail == wav_header.GUID_TAIL)
        and len(header.fact) in (0, 4)
    )


def _stated_sound(header: WavHeader) -> Sound:
    format = header.format
    nb_samples = header.data.length // (format.nb_channels * format.sample_bytes)
    return Sound(format.nb_channels, format.sample_rate, nb_samples)


def _read_by_libsndfile(path: Path, header: WavHeader | None) -> tuple[WavHeader, Sound]:
    """The header and the sound of any other file. Raises AudioError unless libsndfile reads it, as a WAV file."""
    import soundfile  # imported here: it takes longer to load than everything else in a script

    try:
        info = soundfile.info(wav_header.readable(path))
    except soundfile.SoundFileError:
        raise AudioError(_unreadable_sentence(header)) from None
    if info.format not in WAV_FORMATS or header is None:
        raise AudioError(
            translate("This file is {format}, despite its name. Please choose a .wav file.", format=info.format_info)
        )
    return header, Sound(info.channels, info.samplerate, info.frames)


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
