"""What a page draws of a sound: its waveform and its spectrogram, `python -m webapp.background.pictures <job>`.

Made once, beside the stems, by a process of its own: nothing else of the web side loads numpy and soundfile to stay.
Each file is read once, in blocks, so that the memory does not grow with the song.
"""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from webapp import jobs, locks, logs
from webapp.folders import DOWNLOADS
from webapp.refusal import Refusal

SAMPLES_AT_ONCE = 2**16
NB_PEAKS = 2000
NB_COLUMNS, NB_BANDS = 1000, 128
WINDOW_SECONDS = 0.093  # 4096 samples at 44.1 kHz
LOWEST_HZ, HIGHEST_HZ = 40.0, 16000.0
FLOOR_DB = -90.0  # what is as quiet, or quieter, becomes 0
FRAMES_AT_ONCE = 64
LOUDEST = 1e6  # times full scale: any louder, powers would be more than float32 holds

log = logging.getLogger("pictures")


def draw(job_id: str) -> None:
    """Write `<name>.peaks` and `<name>.spectrogram` for the mixture and each stem. Raises Refusal (404)."""
    job = jobs.load(job_id)
    lock = locks.acquire(job.outdir / ".pictures", wait=False)
    if lock is None:
        return  # a child of a worker that was killed is still at it
    for name, path in ({"mixture": job.source} | job.stems()).items():
        peaks, spectrogram = pictures(path)
        _write(job.outdir / f"{name}.peaks", peaks)
        _write(job.outdir / f"{name}.spectrogram", spectrogram)


def pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The waveform, int8 (NB_PEAKS, 2), and the spectrogram, uint8 (NB_COLUMNS, NB_BANDS), of a sound file's mono mix.

    A peak is the (lowest, highest) sample of its stretch, full scale 127. Bands are spaced by the logarithm,
    the lowest first; 255 is a sine of full scale, 0 is FLOOR_DB. Raises soundfile.LibsndfileError.
    """
    with soundfile.SoundFile(path) as file:
        peaks, spectrogram = _Peaks(file.frames), _Spectrogram(file.frames, file.samplerate)
        for samples in _mono(file):
            peaks.add(samples)
            spectrogram.add(samples)
    return peaks.finish(), spectrogram.finish()


def _mono(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    weights = np.full(file.channels, 1 / file.channels, np.float32)
    while len(frames := file.read(SAMPLES_AT_ONCE, dtype="float32", always_2d=True)):
        yield np.clip(np.nan_to_num(frames @ weights, nan=0.0), -LOUDEST, LOUDEST)


def _write(path: Path, picture: np.ndarray) -> None:
    """Replace the file at `path` atomically; a power cut leaves it whole or leaves none."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(picture.tobytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # a full disk needs the room
        raise


class _Peaks:
    """The lowest and the highest sample of each of NB_PEAKS stretches of `nb_samples`, each of one sample at least."""

    def __init__(self, nb_samples: int):
        bounds = np.arange(NB_PEAKS + 1) * nb_samples // NB_PEAKS
        self._starts, self._ends = bounds[:-1], np.maximum(bounds[1:], bounds[:-1] + 1)
        self._lows, self._highs = np.full(NB_PEAKS, np.inf), np.full(NB_PEAKS, -np.inf)
        self._nb_seen = 0

    def add(self, samples: np.ndarray) -> None:
        """Take in the next samples (nb_samples,)."""
        first = np.searchsorted(self._ends, self._nb_seen, "right")
        last = np.searchsorted(self._starts, self._nb_seen + len(samples), "left")
        starts = np.maximum(self._starts[first:last] - self._nb_seen, 0)
        for extremes, extreme in ((self._lows, np.minimum), (self._highs, np.maximum)):
            extreme(extremes[first:last], extreme.reduceat(samples, starts), out=extremes[first:last])
        self._nb_seen += len(samples)

    def finish(self) -> np.ndarray:
        pairs = np.stack([self._lows, self._highs], axis=1)
        pairs[~np.isfinite(pairs)] = 0  # the file ended before its header says so
        return np.clip(np.rint(127 * pairs), -127, 127).astype(np.int8)


class _Spectrogram:
    """The mean over each column's frames of the strongest bin of each band.

    Frame k is centred at sample (k + 1/2) nb_samples / nb_frames; as many frames fall to each column as it takes for
    half of each to lie in the next one, and one at least.
    """

    def __init__(self, nb_samples: int, sample_rate: int):
        n_fft = 1 << round(np.log2(np.clip(WINDOW_SECONDS * sample_rate, 2**8, 2**16)))
        self._window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
        self._window /= self._window.sum() / 2  # a sine of full scale has its peak at 1
        self._frames_a_column = max(1, round(nb_samples / NB_COLUMNS / (n_fft // 2)))
        nb_frames = NB_COLUMNS * self._frames_a_column
        # The sound with half a window of silence before it: a frame starts where its centre lies in the sound itself.
        self._starts = (2 * np.arange(nb_frames) + 1) * nb_samples // (2 * nb_frames)
        self._bins = _band_bins(n_fft, sample_rate)
        self._power = np.zeros((NB_COLUMNS, NB_BANDS))
        self._held = np.zeros(n_fft // 2, np.float32)
        self._held_start = 0
        self._nb_done = 0

    def add(self, samples: np.ndarray) -> None:
        """Take in the next samples (nb_samples,)."""
        self._held = np.concatenate([self._held, samples])
        ready = np.searchsorted(self._starts, self._held_start + len(self._held) - len(self._window), "right")
        for first in range(self._nb_done, ready, FRAMES_AT_ONCE):
            self._add_frames(first, min(first + FRAMES_AT_ONCE, ready))
        self._nb_done = max(self._nb_done, ready)
        needed = self._starts[self._nb_done] if self._nb_done < len(self._starts) else np.inf
        dropped = int(min(needed - self._held_start, len(self._held)))
        self._held, self._held_start = self._held[dropped:], self._held_start + dropped

    def finish(self) -> np.ndarray:
        self.add(np.zeros(len(self._window), np.float32))
        level = 10 * np.log10(np.maximum(self._power / self._frames_a_column, 10 ** (FLOOR_DB / 10)))
        return np.clip(np.rint(255 * (1 - level / FLOOR_DB)), 0, 255).astype(np.uint8)

    def _add_frames(self, first: int, last: int) -> None:
        places = self._starts[first:last] - self._held_start
        frames = np.lib.stride_tricks.sliding_window_view(self._held, len(self._window))[places]
        spectrum = np.fft.rfft(frames * self._window)  # (nb_frames, nb_bins)
        power = spectrum.real**2 + spectrum.imag**2
        bands = np.maximum.reduceat(power, self._bins, axis=1)[:, :-1]
        np.add.at(self._power, np.arange(first, last) // self._frames_a_column, bands)


def _band_bins(n_fft: int, sample_rate: int) -> np.ndarray:
    """The first bin of each band, and that after the last; a band narrower than a bin takes the one that it lies in."""
    edges = np.geomspace(LOWEST_HZ, max(LOWEST_HZ, min(HIGHEST_HZ, sample_rate / 2)), NB_BANDS + 1)
    return np.minimum(np.rint(edges * n_fft / sample_rate).astype(int), n_fft // 2)


def main() -> None:
    logs.configure()
    try:
        draw(sys.argv[1])
    except (Refusal, OSError, soundfile.LibsndfileError) as error:
        if (DOWNLOADS / sys.argv[1]).exists():  # else the job was deleted meanwhile: this goes first
            log.error("job %.8s stays without pictures: %s", sys.argv[1], error)


if __name__ == "__main__":
    main()
