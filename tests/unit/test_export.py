"""Exported files: FFmpeg decodes them to the signal, at its length and without offset, and never clipped."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiofiles.metadata import Metadata
from audiofiles.tags import Tags
from tests.support.decoding import NEEDS_FFMPEG, decoded, offset, probed, snr
from tests.support.tagged_files import PNG
from webapp.audio.export import Export, attenuation
from webapp.audio.export_formats import FORMATS, attenuation_db, find
from webapp.audio.signal import NB_SAMPLES_AT_ONCE, Signal
from webapp.errors import ChoiceError, StoredFileNotFound

pytestmark = NEEDS_FFMPEG
RATE = 44100
LOSSY_SNR = {"mp3": 25, "mp3-320": 30, "opus": 20, "m4a": 25}  # dB, of the signal below
NO_TAGS = Tags()


def music(nb_samples: int = 2 * RATE + 77, nb_channels: int = 2, sample_rate: int = RATE) -> np.ndarray:
    """Chords that change every third of a second, other ones in each channel: (nb_samples, nb_channels)."""
    time = np.arange(nb_samples) / sample_rate
    chord = 1 + np.floor(3 * time) % 5
    voices = [
        sum(np.sin(2 * np.pi * (110 + 41 * channel) * harmonic * chord * time) / harmonic for harmonic in (1, 2, 3))
        for channel in range(nb_channels)
    ]
    return 0.2 * np.stack(voices, axis=1)


def written(path: Path, samples: np.ndarray, sample_rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, sample_rate, subtype=subtype)
    return path


def exported(path: Path, name: str, rate: str = "", tags: Tags = NO_TAGS, speakers: int = 0) -> tuple[Path, np.ndarray]:
    """Export a file: the new file, and the samples that it should hold."""
    format = find(name)
    output_rate = format.output_rate(rate, soundfile.info(path).samplerate)
    with Signal({path: 1.0}, output_rate) as signal:
        export = Export(format, format.speakers_for(signal.nb_channels, speakers), attenuation(format, signal))
        made = path.with_name(f"made{format.extension}")
        with made.open("w+b") as file:
            export.write(signal, Metadata(tags=tags), file)
        return made, np.concatenate(list(signal.blocks())) * 10 ** (-export.attenuation / 20)


# What is decoded


# 1153 and 11530 are a little more than whole frames of MP3.
@pytest.mark.parametrize("nb_samples", [1024, 1153, 11530, 2 * RATE + 77, NB_SAMPLES_AT_ONCE])
@pytest.mark.parametrize("name", FORMATS)
def test_the_length_is_that_of_the_wav(tmp_path, name, nb_samples):
    made, expected = exported(written(tmp_path / "a.wav", music(nb_samples)), name)
    assert len(decoded(made, 2)) == len(expected)


@pytest.mark.parametrize("nb_channels", [1, 2])
@pytest.mark.parametrize("name", LOSSY_SNR)
def test_lossy_formats_have_no_offset(tmp_path, name, nb_channels):
    made, expected = exported(written(tmp_path / "a.wav", music(nb_channels=nb_channels)), name)
    found = decoded(made, nb_channels)
    assert offset(expected, found) == 0
    assert snr(expected, found) > LOSSY_SNR[name]


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_flac_is_the_wav_bit_for_bit(tmp_path, subtype, bits):
    path = written(tmp_path / "a.wav", music(), subtype=subtype)
    made, _ = exported(path, "flac")
    assert (soundfile.read(made, dtype="int32")[0] == soundfile.read(path, dtype="int32")[0]).all()
    assert soundfile.info(made).subtype == ("PCM_24" if bits > 16 else "PCM_16")


@pytest.mark.parametrize("subtype", ["PCM_32", "FLOAT", "DOUBLE"])
def test_deeper_samples_become_24_bit_flac(tmp_path, subtype):
    made, expected = exported(written(tmp_path / "a.wav", music(), subtype=subtype), "flac")
    assert soundfile.info(made).subtype == "PCM_24"
    np.testing.assert_allclose(soundfile.read(made)[0], expected, atol=0.501 * 2.0**-23)


@pytest.mark.parametrize("name", FORMATS)
def test_192_khz_become_48_khz(tmp_path, name):
    samples = music(192000, sample_rate=192000)
    made, _ = exported(written(tmp_path / "a.wav", samples, 192000, "PCM_24"), name, rate="48000")
    found = decoded(made, 2)
    assert "sample_rate=48000" in probed(made, "stream=sample_rate")
    assert len(found) == 48000
    expected = music(48000, sample_rate=48000)
    assert offset(expected, found) == 0
    assert snr(expected[1000:-1000], found[1000:-1000]) > 15


@pytest.mark.parametrize(("name", "most"), [("flac", 8), ("opus", 8), ("m4a", 6), ("wav", 8)])
def test_channels_keep_their_order_or_are_refused(tmp_path, name, most):
    for nb_channels in range(1, 9):
        path = written(tmp_path / "a.wav", music(RATE, nb_channels, 48000), 48000)
        if nb_channels > most or (name == "opus" and nb_channels in (5, 7)):
            with pytest.raises(ChoiceError, match=f"{nb_channels}"):
                exported(path, name)
            continue
        made, expected = exported(path, name)
        found = decoded(made, nb_channels)
        for channel in range(nb_channels):
            if nb_channels in (6, 8) and channel == 3 and name in LOSSY_SNR:
                continue  # the LFE channel has low frequencies only
            assert snr(expected[:, channel], found[:, channel]) > 15, (nb_channels, channel)


@pytest.mark.parametrize(
    ("name", "speakers", "layout"),
    [("flac", 0x7, "3.0"), ("flac", 0xB, "2.1"), ("opus", 0x7, "3.0"), ("m4a", 0x7, "3.0"), ("flac", 0, "3.0")],
)
def test_the_arrangement_of_the_channels_is_stated(tmp_path, name, speakers, layout):
    path = written(tmp_path / "a.wav", music(RATE, 3, 48000), 48000)
    made, _ = exported(path, name, speakers=speakers)
    assert f"channel_layout={layout}" in probed(made, "stream=channel_layout")


# Full scale


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "wav"])
def test_floats_above_full_scale_are_made_quieter_and_not_clipped(tmp_path, name):
    """At +6 dB. The comment says by how much."""
    samples = 2.0 * music() / np.abs(music()).max()
    made, expected = exported(written(tmp_path / "a.wav", samples, subtype="FLOAT"), name)
    found = decoded(made, 2)
    assert np.abs(expected).max() <= 1
    assert snr(expected, found) > LOSSY_SNR.get(name, 120)
    assert re.search(r"comment=6\.0\d dB quieter", probed(made, "format_tags=comment:stream_tags=comment"))


def test_floats_above_full_scale_stay_in_wav(tmp_path):
    samples = 2.0 * music()
    made, _ = exported(written(tmp_path / "a.wav", samples, subtype="DOUBLE"), "wav")
    assert (soundfile.read(made)[0] == samples).all()


def test_a_sample_of_full_scale_becomes_the_largest_integer(tmp_path):
    path = written(tmp_path / "a.wav", np.full((1000, 1), 1.0), subtype="FLOAT")
    made, expected = exported(path, "flac")
    assert expected.max() == 1
    assert (soundfile.read(made, dtype="int32")[0] == (2**23 - 1) << 8).all()


def test_resampling_beyond_full_scale_does_not_clip(tmp_path):
    square = np.sign(np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE + 0.1))[:, np.newaxis] * 32767 / 32768
    made, expected = exported(written(tmp_path / "a.wav", square), "flac", rate="48000")
    assert np.abs(expected).max() <= 1
    assert snr(expected, decoded(made, 1)) > 80


@pytest.mark.parametrize(("peak", "decibels"), [(0, 0), (0.5, 0), (1, 0), (1.0001, 0.01), (2, 6.03), (10, 20)])
def test_the_attenuation_is_the_least_in_steps_of_a_hundredth(peak, decibels):
    assert attenuation_db(peak) == decibels
    assert peak * 10 ** (-decibels / 20) <= 1


# Tags


@pytest.mark.parametrize("name", FORMATS)
def test_tags_and_cover_are_written(tmp_path, name):
    cover = io.BytesIO()
    import av

    with av.open(cover, "w", format="image2pipe") as picture:
        stream = picture.add_stream("png", width=8, height=8, pix_fmt="rgb24")
        picture.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), format="rgb24")))
        picture.mux(stream.encode(None))
    texts = {"TITLE": ["Пісня (vocals)"], "ARTIST": ["Me"], "ALBUM": ["Album"], "TRACKNUMBER": ["3/9"]}
    made, _ = exported(written(tmp_path / "a.wav", music(1000)), name, tags=Tags(texts, cover.getvalue()))
    found = probed(made, "format_tags:stream_tags:stream=codec_name,width").replace("TAG:", "").lower()
    for line in ("title=пісня (vocals)", "artist=me", "track=3/9", "codec_name=png", "width=8"):
        assert line in found, line


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_cover_is_left_out(tmp_path, name):
    made, expected = exported(written(tmp_path / "a.wav", music(3000)), name, tags=Tags({"TITLE": ["A"]}, PNG))
    assert len(decoded(made, 2)) == len(expected)


# What a format cannot hold


@pytest.mark.parametrize(
    ("name", "rate", "sample_rate", "sentence"),
    [
        ("mp3", "", 96000, "MP3 cannot hold a sample rate of 96000 Hz. Please choose 44100 / 48000 Hz."),
        ("mp3-320", "", 22050, "MP3 cannot hold a sample rate of 22050 Hz"),
        ("opus", "44100", 44100, "Opus cannot hold a sample rate of 44100 Hz. Please choose 48000 Hz."),
        ("m4a", "", 192000, "M4A cannot hold a sample rate of 192000 Hz"),
        ("flac", "", 768000, "FLAC cannot hold a sample rate of 768000 Hz"),
        ("wav", "96000", 44100, "The sample rate of a download can be 44100 / 48000 Hz."),
    ],
)
def test_impossible_rates_get_a_sentence(name, rate, sample_rate, sentence):
    with pytest.raises(ChoiceError, match=sentence):
        find(name).output_rate(rate, sample_rate)


def test_unknown_formats_get_a_sentence():
    with pytest.raises(ChoiceError, match=r"wav, flac, mp3, mp3-320, opus, m4a\."):
        find("wma")


def test_a_deleted_stem_is_not_found(tmp_path):
    with pytest.raises(StoredFileNotFound):
        Signal({tmp_path / "none.wav": 1.0})


def test_blocks_are_of_limited_size(tmp_path):
    path = written(tmp_path / "a.wav", music(5 * NB_SAMPLES_AT_ONCE))
    with Signal({path: 1.0}, 48000) as signal:
        assert max(len(block) for block in signal.blocks()) < 1.2 * NB_SAMPLES_AT_ONCE
