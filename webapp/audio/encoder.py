"""Encoding a signal by FFmpeg's libraries (PyAV), in constant memory.

The encoder's delay and padding are written as each format does it, so that a player gives back the signal's first to
last sample: in the LAME tag of an MP3, the pre-skip and last granule position of Opus, the edit list of M4A.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt

from audiofiles.tags import Tags
from webapp.audio import cover_picture
from webapp.audio.export_formats import FLAC, ExportFormat
from webapp.audio.signal import Samples, Signal
from webapp.audio.wav_stream import to_integers

AAC_FRAME = 1024  # samples
FLAC_FRAME = 4096
# LAME may end with a packet that holds nothing of the signal. It is left out, since FFmpeg's muxer states only the
# padding of the last packet, and that of the one before would be played. FFmpeg does not read an MP3 of one packet.
FEWEST_PACKETS = 2
MOST_BITS = 24  # of FLAC here; FFmpeg's encoder of 32 bit is experimental
# Names of Vorbis comments → FFmpeg's, where they differ.
METADATA = {"ALBUMARTIST": "album_artist", "TRACKNUMBER": "track", "DISCNUMBER": "disc"}
ID3_METADATA = {"ISRC": "TSRC", "BPM": "TBPM"}


def encode(
    signal: Signal, format: ExportFormat, speakers: int, bits: int, gain: float, tags: Tags, file: BinaryIO
) -> None:
    """Write `signal` times `gain` to `file`, with integers of `bits` bits if the format is lossless.

    Raises soundfile.LibsndfileError, av.FFmpegError, OSError.
    """
    with av.open(file, "w", format=format.container, options=_container_options(format, signal)) as container:
        options = _codec_options(signal, format, bits)
        stream: Any = container.add_stream(format.codec, rate=signal.sample_rate, options=options)
        stream.layout, stream.time_base = hex(speakers), Fraction(1, signal.sample_rate)
        stream.format = _sample_format(format, bits)
        container.metadata.update(_metadata(tags, format))
        cover = cover_picture.load(tags.cover)
        if cover:
            cover.add_to(container)
        container.start_encoding()
        if cover:
            cover.write_to(container)
        for number, packet in enumerate(_packets(stream, _frames(signal, stream, bits, gain))):
            if number < FEWEST_PACKETS or packet.duration or format.container != "mp3":
                container.mux(packet)


def _packets(stream: Any, frames: Iterator[Any]) -> Iterator[Any]:
    for frame in chain(frames, [None]):  # None: the encoder gives what it still holds
        yield from stream.encode(frame)


def _codec_options(signal: Signal, format: ExportFormat, bits: int) -> dict[str, str]:
    if format.name == FLAC:
        return {"bits_per_raw_sample": str(MOST_BITS)} if bits > 16 else {}
    return dict(format.options) or {"b": str(format.bit_rate * signal.nb_channels)}


def _container_options(format: ExportFormat, signal: Signal) -> dict[str, str]:
    if format.container == "mp4":  # FFmpeg's muxer of M4A, ipod, takes no cover in PNG
        return {"brand": "M4A ", "movie_timescale": str(signal.sample_rate)}  # of the edit list; the default is 1 ms
    return {"id3v2_version": "3"} if format.container == "mp3" else {}


def _metadata(tags: Tags, format: ExportFormat) -> dict[str, str]:
    names = METADATA | (ID3_METADATA if format.container == "mp3" else {})
    return {names.get(name, name.lower()): "; ".join(values) for name, values in tags.texts.items()}


def _sample_format(format: ExportFormat, bits: int) -> str:
    """The name of FFmpeg's sample format that the encoder takes."""
    if format.name == FLAC:
        return "s16" if bits <= 16 else "s32"
    return "flt" if format.codec == "libopus" else "fltp"


def _frames(signal: Signal, stream: Any, bits: int, gain: float) -> Iterator[Any]:
    """The signal times `gain` in frames of the encoder's size. Their times begin at 0."""
    # FFmpeg's decoder honours an M4A's edit list to the sample at its start, but only to the frame at its end. So the
    # last frame is made full by silence before the first sample, which the edit list skips with the encoder's delay.
    # One more frame of silence lets the encoder settle: otherwise the first samples are noisy.
    is_aac = stream.codec_context.name == "aac" and signal.nb_samples > AAC_FRAME  # FFmpeg skips a single frame whole
    nb_before = AAC_FRAME + -signal.nb_samples % AAC_FRAME if is_aac else 0
    size = stream.codec_context.frame_size or FLAC_FRAME
    start = -nb_before
    for block in _blocks_of(size, signal, nb_before):
        frame = av.AudioFrame.from_ndarray(
            _as_array(block * gain, stream.format.name, bits), format=stream.format.name, layout=stream.layout
        )
        frame.sample_rate, frame.time_base, frame.pts = signal.sample_rate, stream.time_base, start
        start += len(block)
        yield frame


def _blocks_of(size: int, signal: Signal, nb_before: int) -> Iterator[Samples]:
    """`nb_before` samples of silence and the signal, in blocks of `size` samples; the last may be shorter."""
    held = np.zeros((nb_before, signal.nb_channels))
    for block in signal.blocks():
        held = np.concatenate([held, block])
        whole = len(held) - len(held) % size
        yield from (held[start : start + size] for start in range(0, whole, size))
        held = held[whole:]
    if len(held):
        yield held


def _as_array(samples: Samples, sample_format: str, bits: int) -> npt.NDArray[Any]:
    """Samples in FFmpeg's layout: (nb_channels, nb_samples) if it is planar, else (1, nb_samples · nb_channels)."""
    if sample_format == "fltp":
        return np.ascontiguousarray(samples.T, dtype=np.float32)
    if sample_format == "flt":
        return samples.astype(np.float32).reshape(1, -1)
    if sample_format == "s16":
        return to_integers(samples, 16).astype(np.int16).reshape(1, -1)
    return (to_integers(samples, MOST_BITS).astype(np.int32) << 8).reshape(1, -1)
