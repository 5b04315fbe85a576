"""Read a mixture in blocks, and write stems in its sample rate, subtype and channel layout (libsndfile)."""

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from audiofiles import wav_header
from audiofiles.metadata import Metadata

from .errors import InputError
from .stem_metadata import encoded_path, left_out, read_layout, read_metadata, write_metadata

SAMPLES_AT_ONCE = 2**17
MAX_AMPLITUDE = 2.0**24  # times full scale; at 1e10, powers in the Wiener filter overflow float32
MAX_INVALID = 0.5  # part of the samples that may be no numbers, or larger; more of them is another encoding
UNKNOWN_LENGTH = 2**62  # samples; libsndfile states more for a FLAC stream without a length
MAX_WAV_BYTES = 4 * 10**9  # bytes; the sizes in its header have 32 bits
FLAC_CHANNELS, FLAC_RATE = 8, 655_350  # RFC 9639, 8.2
PART_NAME = re.compile(r"\..+-[0-9a-f]{8}\.part")
PCM_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
# The subtype of the stems for each of the mixture; those in no table (MP3, Vorbis, A-law...) become PCM_16.
WAV_SUBTYPES = {"PCM_S8": "PCM_U8"} | {
    name: name for name in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
}
FLAC_SUBTYPES = {"PCM_U8": "PCM_S8"} | {name: name for name in ("PCM_S8", "PCM_16", "PCM_24")}
FLAC_SUBTYPES |= dict.fromkeys(("PCM_32", "FLOAT", "DOUBLE"), "PCM_24")
SUBTYPES = {".wav": WAV_SUBTYPES, ".w64": WAV_SUBTYPES, ".flac": FLAC_SUBTYPES}


@dataclass(frozen=True)
class Encoding:
    """Sample format of a file: integers of `bits` bits, or floating point numbers of 32 or 64 bits."""

    subtype: str

    @property
    def bits(self) -> int | None:
        """Bits of an integer sample, None for floating point."""
        return PCM_BITS.get(self.subtype)

    @property
    def bytes_a_sample(self) -> int:
        return self.bits // 8 if self.bits else self.container.itemsize

    @property
    def container(self) -> np.dtype:
        """The dtype that soundfile reads and writes; integers occupy its most significant bits."""
        if self.bits is None:
            return np.dtype(np.float64 if self.subtype == "DOUBLE" else np.float32)
        return np.dtype(np.int16 if self.bits <= 16 else np.int32)

    def quantise(self, samples: np.ndarray) -> np.ndarray:
        """Quantise (nb_channels, nb_samples) of full scale 1 to floats, or to unclipped integers that can hold sums."""
        if self.bits is None:
            return samples.astype(self.container, copy=False)
        scaled = samples * samples.dtype.type(2 ** (self.bits - 1))
        bound = 2.0 ** (self.bits + 2)  # far beyond full scale
        return _clip_if_needed(np.rint(scaled, out=scaled), -bound, bound).astype(self._wide_dtype)

    def clip(self, samples: np.ndarray) -> np.ndarray:
        """Clip (nb_channels, nb_samples) to the range of this encoding; returns the same array if none exceeds it."""
        if self.bits is None:
            return samples
        full_scale = 2 ** (self.bits - 1)
        return _clip_if_needed(samples, -full_scale, full_scale - 1)

    def to_file(self, samples: np.ndarray) -> np.ndarray:
        """Convert clipped samples (nb_channels, nb_samples) to soundfile's layout, (nb_samples, nb_channels)."""
        contained = np.ascontiguousarray(samples.astype(self.container, copy=False).T)
        return contained << self._shift if self._shift else contained

    def from_file(self, frames: np.ndarray) -> np.ndarray:
        """Invert `to_file`: (nb_samples, nb_channels) to (nb_channels, nb_samples); integers can hold sums."""
        samples = np.ascontiguousarray(frames.T)
        return samples if self.bits is None else samples.astype(self._wide_dtype) >> self._shift

    def to_unit(self, frames: np.ndarray) -> np.ndarray:
        """Convert soundfile's (nb_samples, nb_channels) to (nb_channels, nb_samples), float32, full scale 1."""
        with np.errstate(over="ignore", invalid="ignore"):  # `Mixture.blocks` rejects the resulting inf
            samples: np.ndarray = np.ascontiguousarray(frames.T).astype(np.float32, copy=False)
        if self.bits is not None:
            samples = samples * np.float32(-1.0 / np.iinfo(self.container).min)
        return samples

    @property
    def _shift(self) -> int:
        return 8 * self.container.itemsize - self.bits if self.bits else 0

    @property
    def _wide_dtype(self) -> np.dtype:
        return np.dtype(np.int64 if self.bits is not None and self.bits > 24 else np.int32)


def _clip_if_needed(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Clip samples; returns the same array if none exceeds the range, a check several times as fast as clipping."""
    if not samples.size or (samples.min() >= low and samples.max() <= high):
        return samples
    clipped: np.ndarray = np.clip(samples, low, high)
    return clipped


class Mixture:
    """The part of an audio file to separate: `duration` seconds (None: all) from `start` seconds on.

    `layout` is the channel layout that the file states, if any. Once `blocks` has read the whole mixture, `peak` is its
    largest absolute sample, full scale 1, and `nb_invalid` the number of samples that are not numbers or exceed
    MAX_AMPLITUDE; they are read as 0.
    Raises InputError if the file cannot be read, in the constructor or while reading.
    """

    def __init__(self, path: Path, start: float = 0.0, duration: float | None = None):
        self.name = path.name
        self._path = path
        self._first = 0
        self.peak, self.nb_invalid = 0.0, 0
        with self.open() as file:
            self.sample_rate, self.nb_channels, self.subtype = file.samplerate, file.channels, file.subtype
            self.encoding = Encoding(self.subtype if self.subtype in (*PCM_BITS, "DOUBLE") else "FLOAT")
            nb_frames = file.frames
        self.layout = read_layout(path)
        self._first = min(int(start * self.sample_rate), nb_frames)
        whole = duration is None or duration < 0
        nb_left = nb_frames - self._first
        self.nb_samples = nb_left if whole else min(nb_left, int(duration * self.sample_rate))
        self._is_whole = self.nb_samples == nb_frames
        if nb_frames >= UNKNOWN_LENGTH:
            raise InputError(f"{self.name} does not state its length. Convert it to WAV first.")
        if nb_frames == 0:
            raise InputError(f"{self.name} holds no audio.")
        if self.nb_samples == 0:
            raise InputError(f"{self.name} has no audio in the requested range.")

    def metadata(self) -> Metadata:
        """What the file says besides its samples, as far as it holds for this part of it."""
        found = read_metadata(self._path)
        return found if self._is_whole else found.for_part(self._first)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield consecutive blocks (nb_channels, nb_samples), float32, full scale 1. Raises InputError."""
        with MixtureReader(self) as reader:
            while len(frames := reader.read(SAMPLES_AT_ONCE)):
                yield self.encoding.to_unit(frames)
            self.peak, self.nb_invalid = reader.peak, reader.nb_invalid
        if self.nb_invalid > MAX_INVALID * self.nb_samples * self.nb_channels:
            raise InputError(f"{self.name} holds samples that are not numbers, or far beyond full scale.")

    def open(self) -> soundfile.SoundFile:
        """Open the file at the mixture's first sample. Raises InputError."""
        try:
            file = soundfile.SoundFile(wav_header.readable(self._path))
            if self._first:  # some GSM 06.10 files do not support seeking
                file.seek(self._first)
        except (soundfile.LibsndfileError, OSError, TypeError):  # TypeError: raw samples without a header
            raise InputError(f"{self.name} cannot be read as audio.") from None
        return file


class MixtureReader:
    """Reads a mixture from its beginning. As a context manager, it closes the file.

    Of floating point samples read so far, `peak` is the largest absolute value, and `nb_invalid` the number of those
    that are not numbers or exceed MAX_AMPLITUDE, and were read as 0.
    """

    def __init__(self, mixture: Mixture):
        self.peak, self.nb_invalid = 0.0, 0
        self._name, self._nb_left = mixture.name, mixture.nb_samples
        self._dtype = mixture.encoding.container.name
        self._file = mixture.open()

    def read(self, nb_samples: int) -> np.ndarray:
        """Read the next (nb_samples, nb_channels) in the file's encoding; fewer at the end. Raises InputError."""
        try:
            frames: np.ndarray = self._file.read(min(nb_samples, self._nb_left), dtype=self._dtype, always_2d=True)
        except (soundfile.LibsndfileError, OSError):
            raise InputError(f"{self._name} cannot be read to its end.") from None
        self._nb_left -= len(frames)
        if frames.dtype.kind == "f" and frames.size:
            self._check(frames)
        return frames

    def _check(self, frames: np.ndarray) -> None:
        """Note the peak of frames, and silence invalid samples in place."""
        largest = max(frames.max(), -frames.min())
        if not largest <= MAX_AMPLITUDE:  # also true for NaN
            valid = np.abs(frames) <= MAX_AMPLITUDE
            self.nb_invalid += int(frames.size - np.count_nonzero(valid))
            frames[~valid] = 0
            largest = np.abs(frames).max()
        self.peak = max(self.peak, float(largest))

    def __enter__(self) -> "MixtureReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class StemFiles:
    """Stem files, written under temporary names beside their final ones.

    As a context manager, it renames all of them at the end, or deletes them after an exception.
    """

    def __init__(self, outdir: Path, names: Sequence[str], ext: str, encoding: Encoding, mixture: Mixture):
        self._encoding = encoding
        self._mixture = mixture
        self.left_out: list[str] = []  # known at the end: names of chunks that the stems do not have
        self.paths = [outdir / f"{name}{ext}" for name in names]
        remove_parts(outdir)
        self._parts = [outdir / f".{path.stem}-{secrets.token_hex(4)}.part" for path in self.paths]
        form = {
            "samplerate": mixture.sample_rate,
            "channels": mixture.nb_channels,
            "subtype": encoding.subtype,
            "format": _format(ext, encoding, mixture),
        }
        self._files = []
        try:
            for part in self._parts:
                self._files.append(soundfile.SoundFile(encoded_path(part), "w", **form))
        except BaseException:
            self._discard()
            raise

    def write(self, stems: Sequence[np.ndarray]) -> None:
        """Add samples (nb_channels, nb_samples), as `Encoding.clip` gives them, to each file."""
        for file, samples in zip(self._files, stems, strict=True):
            file.write(self._encoding.to_file(samples))

    def __enter__(self) -> "StemFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            return self._discard()
        try:
            self._complete()
        except BaseException:
            self._discard()
            raise
        for part, path in zip(self._parts, self.paths, strict=True):
            part.replace(path)
        return None

    def _complete(self) -> None:
        """Close the files, and add what is not samples."""
        for file in self._files:
            file.close()
        metadata = self._mixture.metadata()
        self.left_out = left_out(metadata, self.paths[0].suffix)
        song = os.fsencode(Path(self._mixture.name).stem).decode("utf-8", "replace")
        for part, path in zip(self._parts, self.paths, strict=True):
            write_metadata(part, path.suffix, metadata.for_stem(path.stem, song))

    def _discard(self) -> None:
        for file in self._files:
            file.close()
        for part in self._parts:
            part.unlink(missing_ok=True)


def remove_parts(outdir: Path) -> None:
    """Remove temporary files that a killed process left in `outdir`."""
    for part in outdir.glob(".*.part"):
        if PART_NAME.fullmatch(part.name):
            part.unlink(missing_ok=True)


def encoding_for(mixture: Mixture, ext: str) -> Encoding:
    """Return the mixture's own encoding, or the closest one that the format `ext` supports. Raises InputError."""
    if ext not in SUBTYPES:
        raise InputError(f"Stems cannot be written as {ext}, only as {', '.join(SUBTYPES)}.")
    if ext == ".flac" and mixture.nb_channels > FLAC_CHANNELS:
        raise InputError(f"{mixture.name} has {mixture.nb_channels} channels, and FLAC supports up to {FLAC_CHANNELS}.")
    if ext == ".flac" and mixture.sample_rate > FLAC_RATE:
        raise InputError(f"{mixture.name} has {mixture.sample_rate} Hz, and FLAC supports up to {FLAC_RATE} Hz.")
    if ext == ".w64" and states_layout(mixture):
        raise InputError(f"{mixture.name} states the positions of its channels, and .w64 files here cannot.")
    return Encoding(SUBTYPES[ext].get(mixture.subtype, "PCM_16"))


def wav_format(mixture: Mixture) -> str:
    """Return libsndfile's name of the format for a WAV file of the mixture."""
    return _format(".wav", encoding_for(mixture, ".wav"), mixture)


def _format(ext: str, encoding: Encoding, mixture: Mixture) -> str:
    nb_bytes = mixture.nb_samples * mixture.nb_channels * encoding.bytes_a_sample
    if ext != ".wav":
        return ext[1:].upper()
    if nb_bytes > MAX_WAV_BYTES:
        return "RF64"
    return "WAVEX" if states_layout(mixture) else "WAV"


def states_layout(mixture: Mixture) -> bool:
    """Whether the mixture has a channel layout that has to be stated, because it is not that of its channels."""
    return mixture.layout is not None and not mixture.layout.is_default(mixture.nb_channels)
