"""The mix is the sum of the stems at their levels, and the song itself at full levels."""

import io

import numpy as np
import pytest
import soundfile

from audiofiles.metadata import Metadata
from audiofiles.wav_header import PCM, encode_format
from webapp.audio import mix, signal, wav_stream
from webapp.audio.export import Export, attenuation
from webapp.audio.export_formats import find
from webapp.audio.mix import levels
from webapp.audio.signal import Signal
from webapp.audio.wav_stream import ENCODINGS, WavStream
from webapp.engines import table
from webapp.errors import ChoiceError
from webapp.jobs.job import Job

RATE = 48000


@pytest.fixture
def separated(tmp_path, monkeypatch):
    """Make a finished job with random stems that add up to its song exactly."""

    def make(subtype="PCM_16", nb_channels=2, nb_samples=signal.NB_SAMPLES_AT_ONCE + 1001) -> Job:
        monkeypatch.setattr("webapp.paths.UPLOADS", tmp_path / "uploads")
        monkeypatch.setattr("webapp.paths.DOWNLOADS", tmp_path / "downloads")
        job = Job(id="0" * 32, state="done", name="song.wav", seconds=1.0)
        rng, bits = np.random.default_rng(3), {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(subtype, 16)
        vocals, music = rng.integers(-(2 ** (bits - 2)), 2 ** (bits - 2), (2, nb_samples, nb_channels))
        for path, samples in (
            (job.source, vocals + music),
            (job.stems()["vocals"], vocals),
            (job.stems()["music"], music),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            as_numbers = (samples << 32 - bits).astype(np.int32)
            written = (
                as_numbers if subtype in ENCODINGS and ENCODINGS[subtype][0] == wav_stream.PCM else as_numbers / 2.0**31
            )
            soundfile.write(path, written, RATE, subtype=subtype)
        return job

    return make


def opened(job: Job, **levels_: float) -> Signal:
    return Signal(mix.parts(job.source, job.stems(), {name: levels_.get(name, 1.0) for name in job.stems()}))


def made(job: Job, **levels_: float) -> bytes:
    with opened(job, **levels_) as mixed:
        stream = Export(find("wav"), 0, attenuation(find("wav"), mixed)).wav_stream(mixed, Metadata())
        content = b"".join(stream.chunks())
        assert len(content) == stream.length
    return content


def read(content, dtype="int32") -> np.ndarray:
    return soundfile.read(content if not isinstance(content, bytes) else io.BytesIO(content), dtype=dtype)[0]


@pytest.mark.parametrize("subtype", ENCODINGS)
@pytest.mark.parametrize("nb_channels", [1, 2, 6])
def test_the_mix_has_the_songs_rate_depth_and_channels(separated, subtype, nb_channels):
    with soundfile.SoundFile(io.BytesIO(made(separated(subtype, nb_channels), music=0.5))) as file:
        assert (file.samplerate, file.subtype, file.channels) == (RATE, subtype, nb_channels)
        assert file.frames == signal.NB_SAMPLES_AT_ONCE + 1001


@pytest.mark.parametrize("subtype", ENCODINGS)
def test_all_stems_at_full_level_are_the_song_bit_for_bit(separated, subtype):
    job = separated(subtype)
    dtype = "int32" if ENCODINGS[subtype][0] == wav_stream.PCM else "float64"
    assert (read(made(job), dtype) == read(job.source, dtype)).all()


@pytest.mark.parametrize("subtype", ENCODINGS)
def test_one_stem_alone_is_that_stem_bit_for_bit(separated, subtype):
    job = separated(subtype)
    dtype = "int32" if ENCODINGS[subtype][0] == wav_stream.PCM else "float64"
    for name, other in (("vocals", "music"), ("music", "vocals")):
        assert (read(made(job, **{other: 0.0}), dtype) == read(job.stems()[name], dtype)).all()


def test_levels_scale_the_stems(separated):
    job = separated("PCM_24")
    vocals, music = (read(path, "float64") for path in job.stems().values())
    expected = 0.25 * vocals + 0.8 * music
    assert np.abs(read(made(job, vocals=0.25, music=0.8), "float64") - expected).max() <= 0.5 / 2**23
    assert not read(made(job, vocals=0.0, music=0.0)).any()


def test_a_mix_beyond_full_scale_is_made_quieter(separated):
    job = separated("PCM_16", nb_samples=1000)
    for path in job.stems().values():
        soundfile.write(path, np.linspace(-0.9, 0.9, 1000)[:, np.newaxis].repeat(2, 1), RATE, subtype="PCM_16")
    content = made(job, vocals=0.99)
    found = read(content, "float64")
    assert 0.99 < found.max() <= 1
    assert np.abs(found[:, 0] - np.linspace(-1, 1, 1000) * found.max()).max() < 1e-4
    assert b"5.07 dB quieter" in content


def test_other_encodings_become_16_bit(separated):
    job = separated("ULAW")
    content = made(job)
    assert soundfile.info(io.BytesIO(content)).subtype == "PCM_16"
    assert (read(content) == read(job.source)).all()


def test_a_stem_that_is_shorter_ends_in_silence(separated):
    job = separated()
    soundfile.write(job.stems()["vocals"], read(job.stems()["vocals"])[:100], RATE, subtype="PCM_16")
    mixed = read(made(job, vocals=0.5))
    assert (mixed[100:] == read(job.stems()["music"])[100:]).all()


def test_the_mix_comes_in_chunks_of_limited_size(separated):
    job = separated()
    with opened(job, vocals=0.5) as mixed:
        assert max(map(len, WavStream(mixed, "PCM_16").chunks())) <= signal.NB_SAMPLES_AT_ONCE * 4


@pytest.mark.parametrize("nb_bytes", [0xFFFFFF00, 5 << 30, 5 << 30 | 1])
def test_above_4_gb_the_header_is_rf64(tmp_path, nb_bytes):
    path = tmp_path / "long.wav"
    header = wav_stream._header(encode_format(8000, 1, 8), PCM, nb_bytes, nb_bytes, nb_bytes % 2)
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + nb_bytes + nb_bytes % 2)
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64" if nb_bytes > 4 << 30 else "WAV", nb_bytes)


@pytest.mark.parametrize("text", ["-0.1", "2.1", "nan", "inf", "0,5", "loud", "1e9", "--", "0x1", "1 1"])
def test_invalid_levels_get_an_error_message(text):
    with pytest.raises(ChoiceError, match="The level of vocals must be a number from 0 to 2"):
        levels(("vocals", "music"), lambda name: {"vocals": text}.get(name, ""))


def test_the_engine_has_the_two_stems_that_these_tests_use():
    assert list(table.find_engine("openunmix").stems["2"].files) == ["vocals", "music"]
