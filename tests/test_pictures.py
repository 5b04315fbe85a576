"""Waveforms and spectrograms: that they show what is in the sound, and how they come and go with their job."""

import os
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from tests import double, processes, waves
from webapp.background.pictures import NB_BANDS, NB_COLUMNS, NB_PEAKS, SAMPLES_AT_ONCE, pictures

NAMES = ("mixture", "vocals", "music")
SIZES = {"peaks": 2 * NB_PEAKS, "spectrogram": NB_COLUMNS * NB_BANDS}


@pytest.fixture
def drawn(tmp_path):
    """Write samples (nb_samples, nb_channels) as a file, and draw it."""

    def draw(samples, sample_rate=44100, **options):
        soundfile.write(tmp_path / "song.wav", samples, sample_rate, **options)
        return pictures(tmp_path / "song.wav")

    return draw


def tone(hertz: float, seconds: float, sample_rate: int = 44100) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate)


@pytest.mark.parametrize("nb_samples", [1, 2, 999, NB_PEAKS - 1, NB_PEAKS, SAMPLES_AT_ONCE + 1, 3 * SAMPLES_AT_ONCE])
def test_each_peak_is_that_of_its_stretch(drawn, nb_samples):
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
    """Half of silence and half of a tone, in a sound of one block and in one of many."""
    for seconds in (0.5, 20):
        peaks, spectrogram = drawn(np.concatenate([np.zeros_like(tone(1000, seconds)), tone(1000, seconds)]))
        assert (peaks[: NB_PEAKS // 2 - 1] == 0).all()
        assert (np.abs(peaks[NB_PEAKS // 2 + 1 :]).max(axis=1) > 120).all()  # half a cycle has an extreme
        quiet = NB_COLUMNS // 2 - 1 - int(0.05 / seconds * NB_COLUMNS)  # half a window sees what is ahead
        assert (spectrogram[:quiet] == 0).all()
        assert (spectrogram[NB_COLUMNS // 2 + 1 :].max(axis=1) > 230).all()


@pytest.mark.parametrize("nb_samples", [1, 7, 999])
def test_a_song_shorter_than_its_columns_repeats_them(drawn, nb_samples):
    peaks, spectrogram = drawn(np.full(nb_samples, 0.5))
    assert peaks.shape == (NB_PEAKS, 2)
    assert spectrogram.shape == (NB_COLUMNS, NB_BANDS)
    assert (peaks == 64).all()
    assert len(np.unique(spectrogram, axis=0)) <= nb_samples


def test_what_is_no_number_and_what_is_missing_is_drawn_as_silence(tmp_path, drawn):
    samples = np.zeros(50000, np.float32)
    samples[::7] = np.nan
    peaks, spectrogram = drawn(samples, subtype="FLOAT")
    assert (peaks == 0).all()
    assert (spectrogram == 0).all()
    path = tmp_path / "cut.wav"
    path.write_bytes(waves.wave(bytes(4000), data_length=400000))
    assert (pictures(path)[0] == 0).all()


@pytest.mark.parametrize("sample_rate", [1, 50, 1 << 30])
def test_no_rate_is_too_odd(drawn, sample_rate):
    assert drawn(tone(1, 5000, 1), sample_rate)[1].shape == (NB_COLUMNS, NB_BANDS)


def test_the_memory_does_not_grow_with_the_song(tmp_path):
    path, used = tmp_path / "song.wav", []
    for seconds in (20, 400):
        path.write_bytes(waves.wave(b"", data_length=4 * 44100 * seconds))
        os.truncate(path, 44 + 4 * 44100 * seconds)
        tracemalloc.start()
        pictures(path)
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert used[1] < used[0] + 4e6


# With the server


@pytest.fixture
def quick(quick_home, serve):
    return serve()


def done(client) -> str:
    job = client.uploaded_job(waves.wave(b"\x01\x20" * 40000), "My song.wav")
    client.separate(job)
    client.wait_for(job, "done")
    return job


def addresses(job: str) -> dict[str, int]:
    return {f"/downloads/{job}/{name}.{kind}": size for name in NAMES for kind, size in SIZES.items()}


def wait_for_pictures(client, job: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while any(client.get(path).status != 200 for path in addresses(job)):
        assert time.monotonic() < deadline, "the pictures do not come"
        time.sleep(0.05)


def test_pictures_are_served_some_time_after_the_end(quick):
    client = quick.client()
    job = done(client)
    wait_for_pictures(client, job)
    for path, size in addresses(job).items():
        reply = client.get(path)
        assert len(reply.body) == size
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert client.get(path, If_None_Match=reply.headers["ETag"]).status == 304
    assert client.get(f"/downloads/{job}/drums.peaks").status == 404
    assert client.get(f"/downloads/{'0' * 32}/mixture.peaks").status == 404
    expected, _ = pictures(quick.home / "uploads" / job / "song.wav")
    assert client.get(f"/downloads/{job}/mixture.peaks").body == expected.tobytes()


def test_a_job_that_is_deleted_takes_its_pictures_and_their_process_along(quick):
    client = quick.client()
    slow_down(quick.home)
    job = done(client)
    pid = processes.one(quick.home, f"webapp.background.pictures {job}")
    assert client.get(f"/downloads/{job}/mixture.peaks").status == 204
    client.post("/cgi-bin/delete.py", job=job)
    processes.wait_until_ended(quick.home, pid)
    assert not (quick.home / "downloads" / job).exists()


def test_a_server_that_was_killed_makes_them_again(quick, serve):
    client = quick.client()
    untouched = slow_down(quick.home)
    job = done(client)
    processes.one(quick.home, f"webapp.background.pictures {job}")
    quick.kill()
    processes.wait_until_gone(quick.home)
    (quick.home / "webapp" / "background" / "pictures.py").write_text(untouched)
    wait_for_pictures(serve().client(), job)
    assert list((quick.home / "downloads" / job).glob(".*.part")) == []


def test_the_next_separation_does_not_wait_for_pictures(quick):
    slow_down(quick.home)
    client = quick.client()
    first = done(client)
    processes.one(quick.home, f"webapp.background.pictures {first}")
    done(client)
    assert processes.of(quick.home, f"webapp.background.pictures {first}")


def slow_down(home) -> str:
    """Let pictures take for ever, once they have begun; returns the program as it was."""
    path = home / "webapp" / "background" / "pictures.py"
    untouched = path.read_text()
    endless = "    (job.outdir / '.vocals.peaks.part').write_text('half')\n    import time\n    time.sleep(1000)\n"
    path.write_text(untouched.replace("    for name, path in (", f"{endless}    for name, path in (", 1))
    assert path.read_text() != untouched
    return untouched


# The mixture


@pytest.fixture(scope="module")
def song_bytes() -> bytes:
    return waves.wave(b"\x01\x20" * 40000)


def test_the_mixture_is_the_upload_to_the_byte_and_in_parts(quick_server, song_bytes):
    client = quick_server.client()
    double.order(quick_server.home)
    job = client.uploaded_job(song_bytes, "../a‮b.wav")
    path = f"/downloads/{job}/mixture.wav"
    whole = client.get(path)
    assert (whole.status, whole.body) == (200, song_bytes)
    assert whole.headers["Content-Type"] == "audio/wav"
    assert whole.headers["Content-Disposition"] == "inline"
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = client.get(path, Range="bytes=44-99")
    assert (part.status, part.body) == (206, song_bytes[44:100])
    assert part.headers["Content-Range"] == f"bytes 44-99/{len(song_bytes)}"
    head = client.request("HEAD", path)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(song_bytes)))
    client.post("/cgi-bin/delete.py", job=job)
    assert client.get(path).status == 404


@pytest.mark.parametrize("guess", ["0" * 32, "F" * 32, "..", "%2e%2e"])
def test_the_mixture_of_another_is_not_found_by_guessing(quick_server, guess):
    assert quick_server.client().get(f"/downloads/{guess}/mixture.wav").status == 404
