"""Decode an encoded recording to a WAV file, in bounded memory: `python -m openunmix_models.decode SOURCE TARGET`.

It runs as a process of its own with limits on its time and memory, so that a crash or an endless loop in a decoder
costs one recording. The WAV file has the rate and the channels of the recording, and the bits of what is lossless.
Lossy codecs have no bits: their sound is written with 24, or as floating point if a sample exceeds full scale.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from audiofiles import metadata, wav_header
from audiofiles.metadata import Metadata
from audiofiles.tags import Tags

from . import container_tags, limited_process
from .encoded import DamagedError, EncodedAudio
from .errors import DiskError, InputError, SeparatorError, as_separator_error, report_error
from .probe import is_sound_file
from .soundfiles import Mixture, encoding_for, wav_format

SAMPLES_AT_ONCE = 2**16
SPARE_DISK_BYTES = 1 << 24
# The sample format of a decoder → the encodings to try: the next one is taken if the samples do not fit.
ENCODINGS = {
    "u8": ("pcm_u8",),
    "s16": ("pcm_s16le",),
    "s32": ("pcm_s24le", "pcm_s32le"),
    "flt": ("pcm_s24le", "pcm_f32le"),
    "dbl": ("pcm_s24le", "pcm_f64le"),
}
FLOAT_CODECS = {"pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"}
BYTES_A_SAMPLE = {"u8": 1, "s16": 2}  # 4 otherwise, at most
DTYPES = {"PCM_24": "int32", "PCM_32": "int32", "FLOAT": "float32", "DOUBLE": "float64"}  # of WAV's subtypes
CUT_OFF_SECONDS = 1.0  # a file that is shorter than its header says by less than this is complete


class TooLongError(InputError):
    """The recording is longer than the limit."""

    exit_status = 6


class _DoesNotFitError(Exception):
    """The samples do not fit into the encoding that was tried."""


@dataclass(frozen=True)
class Decoded:
    """What was written. `damaged`: parts were left out. `cut_off`: the header states a longer recording."""

    seconds: float
    damaged: bool
    cut_off: bool


def decode(source: Path, target: Path, max_seconds: float = float("inf"), until: float | None = None) -> Decoded:
    """Write the first audio track of `source` to the WAV file `target`.

    Args:
        source: a file of any container and codec that `EncodedAudio` reads.
        target: the file to write.
        max_seconds: a longer recording raises TooLongError.
        until: stop after so many seconds.
    Raises:
        InputError: it cannot be decoded.
        DiskError: it does not fit on the disk.
        OSError: it cannot be written.
    """
    if is_sound_file(source):
        with suppress(soundfile.LibsndfileError):  # of a damaged file, FFmpeg reads what there is
            return _copy(source, target, max_seconds)
    for attempt in range(2):
        with EncodedAudio(source) as audio:
            try:
                nb_samples, rate = _write(audio, target, attempt, max_seconds, until)
            except _DoesNotFitError:
                continue
            _append_tags(audio, source, target)
            promised = audio.promised_seconds if until is None else None
            seconds = nb_samples / rate
            cut_off = promised is not None and seconds < promised - CUT_OFF_SECONDS
            return Decoded(seconds, audio.nb_unreadable_packets > 0, cut_off)
    raise AssertionError("unreachable: the second encoding holds all samples")


def _append_tags(audio: EncodedAudio, source: Path, target: Path) -> None:
    """The cover is read from a second opening, since reading one track drops the packets of the others."""
    with EncodedAudio(source) as again:
        tags = Tags(container_tags.texts(audio.metadata), again.cover())
    if tags:
        with suppress(ValueError):  # the samples fill 4 GiB of a RIFF file but for a few bytes
            metadata.write_wav(target, Metadata(tags=tags))


def _copy(source: Path, target: Path, max_seconds: float) -> Decoded:
    """Write the samples of a file that libsndfile reads to a WAV file, so that browsers and all engines read them."""
    mixture = Mixture(source)
    seconds = mixture.nb_samples / mixture.sample_rate
    if seconds > max_seconds:
        raise TooLongError(f"{source.name} is longer than {max_seconds / 3600:g} hours.")
    subtype = encoding_for(mixture, ".wav").subtype
    with (
        mixture.open() as file,
        soundfile.SoundFile(target, "w", file.samplerate, file.channels, subtype, format=wav_format(mixture)) as wav,
    ):
        for block in file.blocks(SAMPLES_AT_ONCE, dtype=DTYPES.get(subtype, "int16"), always_2d=True):
            wav.write(block)
    if mixture.layout:
        wav_header.state_layout(target, mixture.layout)
    with suppress(InputError), EncodedAudio(source) as audio:
        _append_tags(audio, source, target)
    return Decoded(seconds, False, False)


def _write(audio: EncodedAudio, target: Path, attempt: int, max_seconds: float, until: float | None) -> tuple[int, int]:
    """Returns the number of samples and the rate. Raises _DoesNotFitError if another attempt is needed."""
    blocks = _blocks(audio)
    first = next(blocks, None)
    if first is None:
        raise DamagedError(f"{audio.name} is damaged: no sound in it can be decoded.")
    rate, kind = first.sample_rate, first.format.packed.name
    encodings = ENCODINGS[kind][-1:] if audio.codec in FLOAT_CODECS else ENCODINGS[kind]
    encoding = encodings[min(attempt, len(encodings) - 1)]
    _check_disk_space(audio, target, rate, len(first.layout.channels), kind)
    most = min(max_seconds, float("inf") if until is None else until)
    nb_left, nb_samples = most * rate, 0
    with target.open("wb") as file, _open_wav(file) as wav:
        stream = wav.add_stream(encoding, rate=rate, layout=first.layout.name)
        for block in _chained(first, blocks):
            if encoding != encodings[-1] and not _fits(block, kind):
                raise _DoesNotFitError
            nb_samples += block.samples
            block.pts = None
            wav.mux(stream.encode(block))
            if nb_samples > nb_left:
                break
        wav.mux(stream.encode(None))
    if nb_samples > max_seconds * rate:
        raise TooLongError(f"{audio.name} is longer than {max_seconds / 3600:g} hours.")
    return nb_samples, rate


def _chained(first: AudioFrame, rest: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    yield first
    yield from rest


def _open_wav(file: Any) -> Any:
    """Lengths beyond 4 GiB are written as RF64 (EBU Tech 3306)."""
    return av.open(file, "w", format="wav", options={"rf64": "auto", "fflags": "+bitexact"})


def _blocks(audio: EncodedAudio) -> Iterator[AudioFrame]:
    """Frames of SAMPLES_AT_ONCE samples, all in the format, layout and rate of the first one."""
    fifo = AudioFifo()
    for frame in _uniform(audio.frames()):
        frame.pts, frame.time_base = None, Fraction(1, frame.sample_rate)
        fifo.write(frame)
        while (block := fifo.read(SAMPLES_AT_ONCE)) is not None:
            yield block
    if (rest := fifo.read(partial=True)) is not None:
        yield rest


def _uniform(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    """Convert what follows a change in the middle of a recording, as FFmpeg's program does."""
    first = present = resampler = None
    for frame in frames:
        form = _form(frame)
        first, present = first or form, present or form
        if form != present:
            yield from resampler.resample(None) if resampler else ()
            resampler, present = AudioResampler(*first), form
        frame.pts = None  # gaps in the timestamps are not filled
        yield from resampler.resample(frame) if resampler else (frame,)
    yield from resampler.resample(None) if resampler else ()


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _fits(block: AudioFrame, kind: str) -> bool:
    """Whether 24 bits hold the samples of a block."""
    samples = block.to_ndarray()
    if kind == "s32":
        return not np.bitwise_or.reduce(samples, axis=None) & 0xFF
    return bool(np.abs(samples).max() <= 1.0)


def _check_disk_space(audio: EncodedAudio, target: Path, rate: int, nb_channels: int, kind: str) -> None:
    if not audio.container.states_length:
        return
    nb_bytes = int((audio.stated_seconds or 0.0) * rate) * nb_channels * BYTES_A_SAMPLE.get(kind, 4)
    free = shutil.disk_usage(target.parent).free
    if free < nb_bytes + SPARE_DISK_BYTES:
        raise DiskError(
            f"The decoded sound needs {nb_bytes / 1e6:.0f} MB of disk space, and {free / 1e6:.0f} are free."
        )


def main() -> int:
    """Decode, print what was written as JSON, and return the exit status of an error class (errors.py)."""
    parser = argparse.ArgumentParser(prog="python -m openunmix_models.decode", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--max-seconds", type=float, default=float("inf"))
    parser.add_argument("--until", type=float)
    args = parser.parse_args()
    limited_process.limit(limited_process.DECODING_SECONDS)
    try:
        print(json.dumps(asdict(decode(args.source, args.target, args.max_seconds, args.until))))
        return 0
    except SeparatorError as error:
        return report_error(error)
    except Exception as error:
        if known := as_separator_error(error):
            return report_error(known)
        raise


if __name__ == "__main__":
    sys.exit(main())
