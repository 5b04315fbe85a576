"""What the player draws of a sound: its waveform and its spectrogram.

A file is read once, in blocks, so that the memory does not grow with the length of the song.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from audiofiles import wav_header

NB_SAMPLES_AT_ONCE = 1 << 16
NB_PEAKS = 8000
NB_COLUMNS, NB_BANDS = 1000, 128
WINDOW_SECONDS = 0.093  # 4096 samples at 44.1 kHz
LOWEST_HZ, HIGHEST_HZ = 40.0, 16000.0
FLOOR_DB = -90.0  # levels at or below it become 0
NB_FRAMES_AT_ONCE = 64
MAX_SAMPLE = 1e6  # times full scale; the power of louder samples exceeds float32

Samples = npt.NDArray[np.float32]  # (nb_samples,), mono, full scale 1


def draw(path: Path) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint8]]:
    """The waveform, int8 (NB_PEAKS, 2), and the spectrogram, uint8 (NB_COLUMNS, NB_BANDS), of a file's mono mix.

    A peak is the (lowest, highest) sample of its stretch; full scale is 127. The bands are spaced logarithmically from
    LOWEST_HZ to HIGHEST_HZ, the lowest first; 255 is a sine of full scale, 0 is FLOOR_DB or less.
    Raises soundfile.LibsndfileError.
    """
    with soundfile.SoundFile(wav_header.readable(path)) as file:
        peaks, spectrogram = _Peaks(file.frames), _Spectrogram(file.frames, file.samplerate)
        for samples in _mono(file):
            peaks.add(samples)
            spectrogram.add(samples)
    return peaks.finish(), spectrogram.finish()


def _mono(file: soundfile.SoundFile) -> Iterator[Samples]:
    weights = np.full(file.channels, 1 / file.channels, np.float32)
    while len(frames := file.read(NB_SAMPLES_AT_ONCE, dtype="float32", always_2d=True)):
        yield np.clip(np.nan_to_num(frames @ weights, nan=0.0), -MAX_SAMPLE, MAX_SAMPLE)


class _Peaks:
    """The lowest and the highest sample of NB_PEAKS stretches of equal length, which is one sample at least."""

    def __init__(self, nb_samples: int):
        bounds = np.arange(NB_PEAKS + 1) * nb_samples // NB_PEAKS
        self._starts, self._ends = bounds[:-1], np.maximum(bounds[1:], bounds[:-1] + 1)
        self._lows, self._highs = np.full(NB_PEAKS, np.inf), np.full(NB_PEAKS, -np.inf)
        self._nb_seen = 0

    def add(self, samples: Samples) -> None:
        """Add the next samples, (nb_samples,)."""
        first = np.searchsorted(self._ends, self._nb_seen, "right")
        last = np.searchsorted(self._starts, self._nb_seen + len(samples), "left")
        starts = np.maximum(self._starts[first:last] - self._nb_seen, 0)
        for extremes, extreme in ((self._lows, np.minimum), (self._highs, np.maximum)):
            extreme(extremes[first:last], extreme.reduceat(samples, starts), out=extremes[first:last])
        self._nb_seen += len(samples)

    def finish(self) -> npt.NDArray[np.int8]:
        pairs = np.stack([self._lows, self._highs], axis=1)
        pairs[~np.isfinite(pairs)] = 0  # stretches beyond the end of a file that is cut off
        peaks: npt.NDArray[np.int8] = np.clip(np.rint(127 * pairs), -127, 127).astype(np.int8)
        return peaks


class _Spectrogram:
    """For each column and band, the mean over the column's frames of the power of the band's strongest bin.

    Frame k is centred at sample (k + 1/2) nb_samples / nb_frames. The number of frames per column is chosen so that
    consecutive frames overlap by about half; it is one at least.
    """

    def __init__(self, nb_samples: int, sample_rate: int):
        n_fft = 1 << round(np.log2(np.clip(WINDOW_SECONDS * sample_rate, 2**8, 2**16)))
        self._window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
        self._window /= self._window.sum() / 2  # a sine of full scale has a peak of 1
        self._frames_per_column = max(1, round(nb_samples / NB_COLUMNS / (n_fft // 2)))
        nb_frames = NB_COLUMNS * self._frames_per_column
        # Half a window of silence is put before the sound, so that frame k starts where its centre is in the sound.
        self._starts = (2 * np.arange(nb_frames) + 1) * nb_samples // (2 * nb_frames)
        self._bins = _band_bins(n_fft, sample_rate)
        self._power = np.zeros((NB_COLUMNS, NB_BANDS))
        self._held = np.zeros(n_fft // 2, np.float32)
        self._held_start = 0
        self._nb_done = 0

    def add(self, samples: Samples) -> None:
        """Add the next samples, (nb_samples,)."""
        self._held = np.concatenate([self._held, samples])
        last_start = self._held_start + len(self._held) - len(self._window)
        nb_ready = int(np.searchsorted(self._starts, last_start, "right"))
        for first in range(self._nb_done, nb_ready, NB_FRAMES_AT_ONCE):
            self._add_frames(first, min(first + NB_FRAMES_AT_ONCE, nb_ready))
        self._nb_done = max(self._nb_done, nb_ready)
        needed = self._starts[self._nb_done] if self._nb_done < len(self._starts) else np.inf
        dropped = int(min(needed - self._held_start, len(self._held)))
        self._held, self._held_start = self._held[dropped:], self._held_start + dropped

    def finish(self) -> npt.NDArray[np.uint8]:
        self.add(np.zeros(len(self._window), np.float32))
        level = 10 * np.log10(np.maximum(self._power / self._frames_per_column, 10 ** (FLOOR_DB / 10)))
        spectrogram: npt.NDArray[np.uint8] = np.clip(np.rint(255 * (1 - level / FLOOR_DB)), 0, 255).astype(np.uint8)
        return spectrogram

    def _add_frames(self, first: int, last: int) -> None:
        starts = self._starts[first:last] - self._held_start
        frames = np.lib.stride_tricks.sliding_window_view(self._held, len(self._window))[starts]
        spectrum = np.fft.rfft(frames * self._window)  # (nb_frames, nb_bins)
        power = spectrum.real**2 + spectrum.imag**2
        bands = np.maximum.reduceat(power, self._bins, axis=1)[:, :-1]
        np.add.at(self._power, np.arange(first, last) // self._frames_per_column, bands)


def _band_bins(n_fft: int, sample_rate: int) -> npt.NDArray[np.intp]:
    """The first bin of each band, and the bin after the last band. A band has at least the bin that it lies in."""
    edges = np.geomspace(LOWEST_HZ, max(LOWEST_HZ, min(HIGHEST_HZ, sample_rate / 2)), NB_BANDS + 1)
    bins: npt.NDArray[np.intp] = np.minimum(np.rint(edges * n_fft / sample_rate).astype(np.intp), n_fft // 2)
    return bins
