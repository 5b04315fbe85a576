"""Sound files at their door: a mixture read in blocks, stems written in the mixture's rate, subtype and channels."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from .errors import InputError

SAMPLES_AT_ONCE = 2**17
LOUDEST = 2.0**24  # times full scale; the Wiener filter's powers of 1e10 are more than float32 holds
LARGEST_WAV = 4 * 10**9  # bytes; the sizes in its header have 32 bits
FLAC_CHANNELS, FLAC_RATE = 8, 655_350  # RFC 9639, 8.2
PCM_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
# What a format writes for a subtype that it does not have; what is in no table (MP3, Vorbis, A-law...) becomes PCM_16.
WAV_SUBTYPES = {"PCM_S8": "PCM_U8"} | {
    name: name for name in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
}
FLAC_SUBTYPES = {"PCM_U8": "PCM_S8"} | {name: name for name in ("PCM_S8", "PCM_16", "PCM_24")}
FLAC_SUBTYPES |= dict.fromkeys(("PCM_32", "FLOAT", "DOUBLE"), "PCM_24")
SUBTYPES = {".wav": WAV_SUBTYPES, ".w64": WAV_SUBTYPES, ".flac": FLAC_SUBTYPES}


@dataclass(frozen=True)
class Encoding:
    """How samples lie in a file: as integers of `bits`, or as floating point numbers of 32 or 64 bits."""

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
        """What soundfile reads and writes; integers stand at its upper end."""
        if self.bits is None:
            return np.dtype(np.float64 if self.subtype == "DOUBLE" else np.float32)
        return np.dtype(np.int16 if self.bits <= 16 else np.int32)

    def quantise(self, samples: np.ndarray) -> np.ndarray:
        """Full scale 1 to numbers of this encoding: floating point, or integers with room for sums, not yet clipped."""
        if self.bits is None:
            return samples.astype(self.container, copy=False)
        scaled = samples * samples.dtype.type(2 ** (self.bits - 1))
        bound = 2.0 ** (self.bits + 2)  # far beyond full scale
        return _within(np.rint(scaled, out=scaled), -bound, bound).astype(self._roomy)

    def clip(self, samples: np.ndarray) -> np.ndarray:
        """The nearest numbers that a file of this encoding can hold: the same array if it can hold them all."""
        if self.bits is None:
            return samples
        full_scale = 2 ** (self.bits - 1)
        return _within(samples, -full_scale, full_scale - 1)

    def to_file(self, samples: np.ndarray) -> np.ndarray:
        """Clipped numbers (nb_channels, nb_samples) as soundfile takes them, (nb_samples, nb_channels)."""
        contained = np.ascontiguousarray(samples.astype(self.container, copy=False).T)
        return contained << self._shift if self._shift else contained

    def from_file(self, frames: np.ndarray) -> np.ndarray:
        """The reverse of `to_file`, the integers with room for sums."""
        samples = np.ascontiguousarray(frames.T)
        return samples if self.bits is None else samples.astype(self._roomy) >> self._shift

    def to_unit(self, frames: np.ndarray) -> np.ndarray:
        """What soundfile reads, (nb_samples, nb_channels), as (nb_channels, nb_samples) of float32, full scale 1."""
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is found by who looks at samples
            samples = np.ascontiguousarray(frames.T).astype(np.float32, copy=False)
        return samples if self.bits is None else samples * np.float32(-1.0 / np.iinfo(self.container).min)

    @property
    def _shift(self) -> int:
        return 8 * self.container.itemsize - self.bits if self.bits else 0

    @property
    def _roomy(self) -> type:
        return np.int64 if self.bits > 24 else np.int32


def _within(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Clipped samples, or the same array if none is beyond; to look is several times as fast as to clip."""
    if not samples.size or (samples.min() >= low and samples.max() <= high):
        return samples
    return np.clip(samples, low, high)


class Mixture:
    """An audio file that is to be separated, from `start` seconds on, `duration` seconds long (None: to its end).

    Raises InputError when it cannot be read, here or while it is read.
    """

    def __init__(self, path: Path, start: float = 0.0, duration: float | None = None):
        self.name = path.name
        self._path = path
        self._first = 0
        with self.open() as file:
            self.sample_rate, self.nb_channels, self.subtype = file.samplerate, file.channels, file.subtype
            self.encoding = Encoding(self.subtype if self.subtype in (*PCM_BITS, "DOUBLE") else "FLOAT")
            self._first = min(int(start * file.samplerate), file.frames)
            nb_left = file.frames - self._first
        whole = duration is None or duration < 0
        self.nb_samples = nb_left if whole else min(nb_left, int(duration * self.sample_rate))
        if self.nb_samples == 0:
            raise InputError(f"{self.name} holds no audio there." if self._first else f"{self.name} holds no audio.")

    def blocks(self) -> Iterator[np.ndarray]:
        """The whole mixture in consecutive blocks (nb_channels, nb_samples) of float32, full scale 1."""
        with MixtureReader(self) as reader:
            while len(frames := reader.read(SAMPLES_AT_ONCE)):
                block = self.encoding.to_unit(frames)
                if not np.abs(block).max() <= LOUDEST:  # neither is what is no number
                    raise InputError(f"{self.name} holds samples that are not numbers, or far beyond full scale.")
                yield block

    def open(self) -> soundfile.SoundFile:
        """The file, standing at the mixture's beginning."""
        try:
            file = soundfile.SoundFile(self._path)
            if self._first:  # some of GSM 06.10 can be read, and not be sought in
                file.seek(self._first)
        except (soundfile.LibsndfileError, OSError, TypeError):  # TypeError: raw samples without a header
            raise InputError(f"{self.name} cannot be read as audio.") from None
        return file


class MixtureReader:
    """A place in a mixture, at first its beginning. A context: it closes the file."""

    def __init__(self, mixture: Mixture):
        self._name, self._nb_left = mixture.name, mixture.nb_samples
        self._dtype = mixture.encoding.container.name
        self._file = mixture.open()

    def read(self, nb_samples: int) -> np.ndarray:
        """The next samples as they lie in the file, (nb_samples, nb_channels); fewer at the end. Raises InputError."""
        try:
            frames = self._file.read(min(nb_samples, self._nb_left), dtype=self._dtype, always_2d=True)
        except (soundfile.LibsndfileError, OSError):
            raise InputError(f"{self._name} cannot be read to its end.") from None
        self._nb_left -= len(frames)
        return frames

    def __enter__(self) -> "MixtureReader":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()


class StemFiles:
    """Files being written beside their final names, which they get together at the end, or never.

    A context: left in peace, the files are there; left by an error, nothing of them is.
    """

    def __init__(self, outdir: Path, names: Sequence[str], ext: str, encoding: Encoding, mixture: Mixture):
        self._encoding = encoding
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
                self._files.append(soundfile.SoundFile(part, "w", **form))
        except BaseException:
            self._discard()
            raise

    def write(self, stems: Sequence[np.ndarray]) -> None:
        """Add samples (nb_channels, nb_samples), as `Encoding.clip` gives them, to each file."""
        for file, samples in zip(self._files, stems, strict=True):
            file.write(self._encoding.to_file(samples))

    def __enter__(self) -> "StemFiles":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind:
            return self._discard()
        for file in self._files:
            file.close()
        for part, path in zip(self._parts, self.paths, strict=True):
            part.replace(path)
        return None

    def _discard(self) -> None:
        for file in self._files:
            file.close()
        for part in self._parts:
            part.unlink(missing_ok=True)


def remove_parts(outdir: Path) -> None:
    """Remove what an earlier process left in `outdir` when it was killed."""
    for part in outdir.glob(".*.part"):
        part.unlink(missing_ok=True)


def encoding_for(mixture: Mixture, ext: str) -> Encoding:
    """The mixture's own encoding, or the next one that files of this extension have. Raises InputError."""
    if ext not in SUBTYPES:
        raise InputError(f"Stems cannot be written as {ext}, only as {', '.join(SUBTYPES)}.")
    if ext == ".flac" and mixture.nb_channels > FLAC_CHANNELS:
        raise InputError(f"{mixture.name} has {mixture.nb_channels} channels, and FLAC has room for {FLAC_CHANNELS}.")
    if ext == ".flac" and mixture.sample_rate > FLAC_RATE:
        raise InputError(f"{mixture.name} has {mixture.sample_rate} Hz, and FLAC goes up to {FLAC_RATE}.")
    return Encoding(SUBTYPES[ext].get(mixture.subtype, "PCM_16"))


def _format(ext: str, encoding: Encoding, mixture: Mixture) -> str:
    nb_bytes = mixture.nb_samples * mixture.nb_channels * encoding.bytes_a_sample
    return "RF64" if ext == ".wav" and nb_bytes > LARGEST_WAV else ext[1:].upper()
