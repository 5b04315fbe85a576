"""The samples of a download: the sum of some files, each at its level, at the sample rate that was chosen."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from audiofiles import wav_header
from webapp.errors import StoredFileNotFound

NB_SAMPLES_AT_ONCE = 1 << 16
QUALITY = "VHQ"  # of soxr: a stop band of 175 dB

Samples = npt.NDArray[np.float64]  # (nb_samples, nb_channels), full scale 1; holds a sum of integer samples exactly


class Signal:
    """The sum of the files in `levels`, each times its level, at `sample_rate`, that of the first file by default.

    All files are opened at once, so that a job can be deleted while its download is made. A context manager, which
    closes them.
    """

    def __init__(self, levels: Mapping[Path, float], sample_rate: int = 0):
        """Raises StoredFileNotFound."""
        with ExitStack() as opened:
            self._files = [(opened.enter_context(_open(path)), level) for path, level in levels.items()]
            self._opened = opened.pop_all()
        first = self._files[0][0]
        self.nb_channels, self.subtype = first.channels, first.subtype
        self.sample_rate = sample_rate or first.samplerate
        self._input_rate = first.samplerate
        self._nb_input = max(file.frames for file, _ in self._files)
        self.nb_samples = round(self._nb_input * self.sample_rate / self._input_rate)

    @property
    def may_exceed_full_scale(self) -> bool:
        """Whether a sample can exceed full scale: integers do so only by a sum or by resampling."""
        as_it_stands = len(self._files) == 1 and self.sample_rate == self._input_rate
        return not as_it_stands or self.subtype in ("FLOAT", "DOUBLE")

    def peak(self) -> float:
        """The largest absolute sample, full scale 1. Reads all samples. Raises soundfile.LibsndfileError."""
        return max((float(np.abs(block).max()) for block in self.blocks() if block.size), default=0.0)

    def blocks(self) -> Iterator[Samples]:
        """All samples from the beginning, in blocks of limited size. Raises soundfile.LibsndfileError."""
        for file, _ in self._files:
            file.seek(0)
        return self._mixed() if self.sample_rate == self._input_rate else self._resampled()

    def _mixed(self) -> Iterator[Samples]:
        for start in range(0, self._nb_input, NB_SAMPLES_AT_ONCE):
            mixed = np.zeros((min(NB_SAMPLES_AT_ONCE, self._nb_input - start), self.nb_channels))
            for file, level in self._files:
                if level:
                    frames = file.read(len(mixed), always_2d=True)
                    mixed[: len(frames)] += level * frames
            yield mixed

    def _resampled(self) -> Iterator[Samples]:
        """The samples at the chosen rate, `nb_samples` of them."""
        import soxr

        resampler = soxr.ResampleStream(self._input_rate, self.sample_rate, self.nb_channels, "float64", QUALITY)
        nb_left = self.nb_samples
        for block in self._mixed():
            resampled = resampler.resample_chunk(block)[:nb_left]
            nb_left -= len(resampled)
            yield resampled
        end = resampler.resample_chunk(np.zeros((0, self.nb_channels)), last=True)[:nb_left]
        yield np.pad(end, ((0, nb_left - len(end)), (0, 0)))

    def __enter__(self) -> "Signal":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _open(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(wav_header.readable(path))
    except (OSError, soundfile.LibsndfileError):
        raise StoredFileNotFound from None
