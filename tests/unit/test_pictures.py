"""Waveforms and spectrograms show what is in the audio."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from tests.support import wave_files
from webapp import paths
from webapp.audio import pictures
from webapp.audio.pictures import NB_BANDS, NB_COLUMNS, NB_PEAKS, NB_SAMPLES_AT_ONCE
from webapp.jobs import store
from webapp.jobs.job import Job
from webapp.worker.pictures import main


@pytest.fixture
def drawn(tmp_path):
    """Write samples (nb_samples, nb_channels) to a file and draw it."""

    def draw(samples, sample_rate=44100, **options):
        soundfile.write(tmp_path / "song.wav", samples, sample_rate, **options)
        return pictures.draw(tmp_path / "song.wav")

    return draw


def tone(hertz: float, seconds: float, sample_rate: int = 44100) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate)


@pytest.mark.parametrize(
    "nb_samples", [1, 2, 999, NB_PEAKS - 1, NB_PEAKS, NB_SAMPLES_AT_ONCE + 1, 3 * NB_SAMPLES_AT_ONCE]
)
def test_each_peak_is_the_extreme_of_its_samples(drawn, nb_samples):
    samples = np.random.default_rng(nb_samples).uniform(-1, 1, nb_samples).astype(np.float32)
    peaks, _ = drawn(samples, subtype="FLOAT")
    for number in range(NB_PEAKS):
        start = number * nb_samples // NB_PEAKS
        stretch = samples[start : max(start + 1, (number + 1) * nb_samples // NB_PEAKS)]
        assert np.abs(peaks[number] / 127 - [stretch.min(), stretch.max()]).max() <= 0.5 / 127 + 1e-6


def test_channels_are_mixed(drawn):
    left = tone(440, 1)
    assert (drawn(np.stack([left, -left], axis=1))[0] == 0).all()
    assert (drawn(np.stack([left, left], axis=1))[0] == drawn(left)[0]).all()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("nb_channels", [1, 8])
def test_full_scale_is_full_scale_in_each_encoding(drawn, subtype, nb_channels):
    peaks, spectrogram = drawn(np.stack([tone(1000, 2)] * nb_channels, axis=1), subtype=subtype)
    assert peaks.min() <= -125
    assert peaks.max() >= 125
    assert (spectrogram[10:-10].max(axis=1) >= 250).all()


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 192000])
@pytest.mark.parametrize("hertz", [60, 440, 3000])
def test_a_tone_is_in_the_band_of_its_frequency(drawn, sample_rate, hertz):
    _, spectrogram = drawn(tone(hertz, 3, sample_rate), sample_rate)
    edges = np.geomspace(40, min(16000, sample_rate / 2), NB_BANDS + 1)
    loudest = spectrogram[NB_COLUMNS // 2].argmax()
    assert edges[max(0, loudest - 4)] <= hertz <= edges[loudest + 5]


def test_the_spectrogram_is_as_loud_as_the_sound(drawn):
    levels = [drawn(tone(1000, 1) * 10 ** (db / 20), subtype="FLOAT")[1][500].max() for db in (0, -30, -60, -100)]
    assert levels[0] - levels[1] == pytest.approx(255 * 30 / 90, abs=2)
    assert levels[1] - levels[2] == pytest.approx(255 * 30 / 90, abs=2)
    assert levels[3] == 0


def test_time_runs_along_the_columns(drawn):
    """The first half is silence, the second a tone, in one block of audio and in many."""
    for seconds in (0.5, 20):
        peaks, spectrogram = drawn(np.concatenate([np.zeros_like(tone(4000, seconds)), tone(4000, seconds)]))
        assert (peaks[: NB_PEAKS // 2 - 1] == 0).all()
        assert (np.abs(peaks[NB_PEAKS // 2 + 1 :]).max(axis=1) > 110).all()  # each stretch has half a cycle or more
        quiet = NB_COLUMNS // 2 - 1 - int(0.05 / seconds * NB_COLUMNS)  # windows reach half their length ahead
        assert (spectrogram[:quiet] == 0).all()
        assert (spectrogram[NB_COLUMNS // 2 + 1 :].max(axis=1) > 230).all()


@pytest.mark.parametrize("nb_samples", [1, 7, 999])
def test_a_song_shorter_than_its_columns_repeats_them(drawn, nb_samples):
    peaks, spectrogram = drawn(np.full(nb_samples, 0.5))
    assert peaks.shape == (NB_PEAKS, 2)
    assert spectrogram.shape == (NB_COLUMNS, NB_BANDS)
    assert (peaks == 64).all()
    assert len(np.unique(spectrogram, axis=0)) <= nb_samples


def test_nan_and_missing_samples_are_drawn_as_silence(tmp_path, drawn):
    samples = np.zeros(50000, np.float32)
    samples[::7] = np.nan
    peaks, spectrogram = drawn(samples, subtype="FLOAT")
    assert (peaks == 0).all()
    assert (spectrogram == 0).all()
    path = tmp_path / "cut.wav"
    path.write_bytes(wave_files.wav(bytes(4000), data_length=400000))
    assert (pictures.draw(path)[0] == 0).all()


@pytest.mark.parametrize("sample_rate", [1, 50, 1 << 30])
def test_unusual_sample_rates_are_drawn(drawn, sample_rate):
    assert drawn(tone(1, 5000, 1), sample_rate)[1].shape == (NB_COLUMNS, NB_BANDS)


def test_the_memory_does_not_grow_with_the_song(tmp_path):
    path, used = tmp_path / "song.wav", []
    for seconds in (20, 400):
        path.write_bytes(wave_files.wav(b"", data_length=4 * 44100 * seconds))
        os.truncate(path, 44 + 4 * 44100 * seconds)
        tracemalloc.start()
        pictures.draw(path)
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert used[1] < used[0] + 4e6


def test_a_full_disk_leaves_no_partial_picture_and_one_log_line(tmp_path, monkeypatch, caplog):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = Job(id="0" * 32, state="done", name="a.wav", seconds=1.0)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setenv("JOB", job.id)
    monkeypatch.setattr(paths, "DOWNLOADS", tmp_path)
    monkeypatch.setattr(store, "load", lambda _: job)
    monkeypatch.setattr(Job, "outdir", tmp_path / job.id)
    monkeypatch.setattr(Job, "source", tmp_path / "song.wav")
    job.outdir.mkdir()
    job.source.write_bytes(wave_files.wav())
    main()
    assert [path.name for path in job.outdir.iterdir()] == [".pictures"]
    (line,) = caplog.messages
    assert line == "job 00000000 has no pictures: [Errno 28] No space left on device"
