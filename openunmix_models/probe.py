"""Examine a recording before anything is done with it: `python -m openunmix_models.probe FILE` prints JSON.

The first second is decoded, so that a file that cannot be decoded at all is found here. Like decoding, it runs as a
process of its own with limits on its time and memory.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile

from audiofiles import wav_header

from . import containers, limited_process
from .encoded import CodecError, DamagedError, EncodedAudio, NoSoundError, ProtectedError
from .errors import InputError, SeparatorError, report_error

PROBED_SECONDS = 1.0
MAX_MEASURED_SECONDS = 24 * 3600.0
# Codecs that libsndfile also decodes, but with the delay of MP3s, or with 16 bits.
DECODED_BY_FFMPEG = ("MPEG_", "VORBIS", "OPUS", "ALAC_")
UNKNOWN_FRAMES = 2**63 - 1  # of a FLAC file that was streamed
PROBLEMS = {ProtectedError: "protected", NoSoundError: "no sound", CodecError: "codec", DamagedError: "damaged"}


@dataclass(frozen=True)
class Recording:
    """What is known of a recording: its container and codec, its length, and how its sound is sampled."""

    container: str
    codec: str
    seconds: float
    sample_rate: int
    nb_channels: int
    nb_tracks: int = 1
    bytes_a_sample: int = 4  # of the decoded WAV file, at most


def probe(path: Path) -> Recording:
    """Examine the file at `path`. Raises InputError, and its subclasses in `encoded`; OSError."""
    return _probe_sound_file(path) if is_sound_file(path) else _probe_encoded(path)


def is_sound_file(path: Path) -> bool:
    """Return whether libsndfile reads the file, so that it need not be decoded. Raises OSError, InputError."""
    with path.open("rb") as file:
        container = containers.detect(file)
    if not container:
        raise InputError(f"{path.name} cannot be read as audio.")
    try:
        info = soundfile.info(wav_header.readable(path))
        return not info.subtype.startswith(DECODED_BY_FFMPEG) and info.frames < UNKNOWN_FRAMES
    except (soundfile.LibsndfileError, TypeError):
        return False


def _probe_sound_file(path: Path) -> Recording:
    info = soundfile.info(wav_header.readable(path))
    if not info.frames:
        raise DamagedError(f"{path.name} holds no audio.")
    return Recording(info.format, info.subtype, info.frames / info.samplerate, info.samplerate, info.channels)


def _probe_encoded(path: Path) -> Recording:
    with EncodedAudio(path) as audio:
        nb_samples = 0
        for frame in audio.frames():
            form = frame.format.packed.name, frame.sample_rate, len(frame.layout.channels)
            nb_samples += frame.samples
            if nb_samples >= PROBED_SECONDS * frame.sample_rate:
                break
        if not nb_samples:
            raise DamagedError(f"{path.name} is damaged: no sound in it can be decoded.")
        seconds = audio.stated_seconds
        title, codec, nb_tracks = audio.container.title, audio.codec, audio.nb_tracks
    kind, rate, nb_channels = form
    nb_bytes = {"u8": 1, "s16": 2}.get(kind, 4)
    return Recording(title, codec, seconds or _measured_seconds(path), rate, nb_channels, nb_tracks, nb_bytes)


def _measured_seconds(path: Path) -> float:
    with EncodedAudio(path) as audio:
        return audio.measured_seconds(MAX_MEASURED_SECONDS)


def main() -> int:
    """Print the recording as JSON, or the problem with it: {"problem": "codec", "codec": "cook"}."""
    parser = argparse.ArgumentParser(prog="python -m openunmix_models.probe", description=__doc__)
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    limited_process.limit(limited_process.PROBING_SECONDS)
    try:
        print(json.dumps(asdict(probe(path))))
    except InputError as error:
        print(json.dumps({"problem": PROBLEMS.get(type(error), "unknown"), "codec": getattr(error, "codec", "")}))
        return error.exit_status
    except SeparatorError as error:
        return report_error(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
