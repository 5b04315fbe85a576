"""Encoded recordings are decoded as the program ffmpeg decodes them, to the sample."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from openunmix_models.decode import TooLongError, decode
from openunmix_models.inputs import as_sound_file
from openunmix_models.probe import probe
from tests.support import recordings
from tests.support.project import PROJECT
from tests.support.recordings import FORMATS, RATE, decoded_by_ffmpeg, needs_ffmpeg, peak_difference

pytestmark = needs_ffmpeg
ROUNDING = 2.0**-20  # to 24 bits, and of floating point in two versions of FFmpeg
SOUND_FILES = ("song.aiff", "song.flac", "deep.flac", "song.caf", "song.w64")  # libsndfile reads them as they are


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    return recordings.song(tmp_path_factory.mktemp("recordings") / "song.wav")


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "song.w64"])  # ffmpeg gives its padding too
def test_every_format_is_decoded_to_the_sample(tmp_path, wav, name):
    path = recordings.make(name, wav)
    done = decode(path, tmp_path / "out.wav")
    nb_channels = 6 if "surround" in name else 2
    expected = decoded_by_ffmpeg(path, nb_channels)
    assert peak_difference(read(tmp_path / "out.wav"), expected) <= ROUNDING
    rate = 48000 if "libopus" in FORMATS[name] else RATE
    assert done.seconds == len(expected) / rate
    assert not done.damaged
    assert not done.cut_off
    assert abs(probe(path).seconds - done.seconds) < 0.5


@pytest.mark.parametrize("arguments", [("-V2",), ("-b", "128", "-t"), ("--abr", "160"), ("-m", "m")])
def test_mp3s_of_lame_have_no_delay_where_they_state_it(tmp_path, wav, arguments):
    path = recordings.lame(wav, *arguments)
    decode(path, tmp_path / "out.wav")
    nb_channels = 1 if "m" in arguments else 2
    expected = decoded_by_ffmpeg(path, nb_channels)
    assert peak_difference(read(tmp_path / "out.wav"), expected) <= ROUNDING
    if "-t" not in arguments:  # without its tag, nothing states the delay
        assert len(expected) == len(read(wav))


def test_an_edit_list_is_followed(tmp_path, wav):
    whole = recordings.make("song.m4a", wav)
    path = tmp_path / "edited.m4a"
    recordings.run("ffmpeg", "-ss", "0.71", "-i", whole, "-c", "copy", path)
    decode(path, tmp_path / "out.wav")
    expected = decoded_by_ffmpeg(path)
    assert len(expected) < len(read(wav)) - RATE // 2
    assert peak_difference(read(tmp_path / "out.wav"), expected) <= ROUNDING


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("alac.m4a", "PCM_16"), ("song.flac", "PCM_16"), ("deep.flac", "PCM_24"), ("xing.mp3", "PCM_24")],
)
def test_lossless_recordings_keep_their_depth_and_lossy_ones_get_24_bits(tmp_path, wav, name, subtype):
    decode(recordings.make(name, wav), tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").subtype == subtype


def test_a_lossy_recording_beyond_full_scale_becomes_floating_point(tmp_path):
    loud = recordings.song(tmp_path / "loud.wav", loudness=1.9)
    path = recordings.make("xing.mp3", loud)
    decode(path, tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").subtype == "FLOAT"
    samples = read(tmp_path / "out.wav")
    assert np.abs(samples).max() > 1
    assert peak_difference(samples, decoded_by_ffmpeg(path)) <= ROUNDING


@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_f64le", "pcm_s32le"])
def test_samples_that_need_more_than_24_bits_keep_them(tmp_path, wav, codec):
    path = tmp_path / "song.mkv"
    recordings.run("ffmpeg", "-i", wav, "-filter:a", "volume=0.123456", "-c:a", codec, path)
    decode(path, tmp_path / "out.wav")
    expected = recordings.run("ffmpeg", "-i", path, "-f", "f64le", "-c:a", "pcm_f64le", "-")
    samples = soundfile.read(tmp_path / "out.wav", dtype="float64")[0]
    np.testing.assert_array_equal(samples.ravel(), np.frombuffer(expected))


def test_a_format_that_changes_in_the_middle_keeps_the_first_one(tmp_path, wav):
    mono = recordings.lame(wav, "-m", "m", "--resample", "22.05", "-t").read_bytes()
    stereo = recordings.lame(wav, "-t").read_bytes()
    path = tmp_path / "joined.mp3"
    path.write_bytes(stereo + mono)
    done = decode(path, tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").channels == 2
    assert done.seconds == pytest.approx(2 * recordings.NB_SAMPLES / RATE, abs=0.3)


@pytest.mark.parametrize("name", ["xing.mp3", "song.opus", "song.m4a"])
def test_a_part_begins_and_ends_at_its_sample(tmp_path, wav, name):
    """What --start and --duration read: the part of the decoded file, which is decoded no further."""
    from openunmix_models.soundfiles import Mixture

    path = recordings.make(name, wav)
    expected = decoded_by_ffmpeg(path)
    with as_sound_file(path, tmp_path / "out", until=1.1) as sound_file:
        mixture = Mixture(sound_file, 0.7, 0.4)
        samples = np.concatenate(list(mixture.blocks()), axis=1).T
        first = int(0.7 * mixture.sample_rate)
        assert peak_difference(samples, expected[first : first + mixture.nb_samples]) <= ROUNDING
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SOUND_FILES)
def test_what_libsndfile_reads_is_copied_for_the_web(tmp_path, wav, name):
    path = recordings.make(name, wav)
    decode(path, tmp_path / "out.wav")
    np.testing.assert_array_equal(read(tmp_path / "out.wav"), read(path))
    assert soundfile.info(tmp_path / "out.wav").subtype == (
        "PCM_16" if "song" in name and "caf" not in name else "PCM_24"
    )


@pytest.mark.parametrize("name", SOUND_FILES)
def test_what_libsndfile_reads_as_it_is_stored_is_not_decoded(tmp_path, wav, name):
    path = recordings.make(name, wav)
    with as_sound_file(path, tmp_path) as sound_file:
        assert sound_file == path


def test_a_recording_longer_than_the_limit_is_refused_while_it_is_decoded(tmp_path, wav):
    with pytest.raises(TooLongError):
        decode(recordings.make("song.aac", wav), tmp_path / "out.wav", max_seconds=1.0)


@pytest.mark.parametrize("name", ["song.flac", "song.mkv"])
def test_a_file_that_ends_early_is_reported(tmp_path, wav, name):
    path = recordings.make(name, wav)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    done = decode(path, tmp_path / "out.wav")
    assert done.cut_off
    assert 0.3 < done.seconds < 1.5


def test_damaged_parts_are_left_out_and_reported(tmp_path, wav):
    path = recordings.make("song.m4a", wav)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(range(250)) * 8
    path.write_bytes(content)
    done = decode(path, tmp_path / "out.wav")
    assert done.damaged
    assert done.seconds > 1


def test_the_memory_does_not_grow_with_the_length(tmp_path, wav):
    """An hour of silence in MP3 is decoded within the limit of addresses, most of which libraries take."""
    path = tmp_path / "long.mp3"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=3600", "-b:a", "8k", path)
    program = (
        "import sys; from pathlib import Path; from openunmix_models.decode import decode;"
        "decode(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"  # ru_maxrss includes the parent's
    )
    command = [sys.executable, "-c", program, str(path), str(tmp_path / "out.wav")]
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    assert soundfile.info(tmp_path / "out.wav").frames == 3600 * 8000
    assert int(done.stdout) < 200_000  # KiB


def test_bw64_is_decoded_as_it_is_stored(tmp_path, wav):
    """BW64 (ITU-R BS.2088) differs from RF64 in its name only."""
    path = tmp_path / "broadcast.wav"
    recordings.run("ffmpeg", "-i", wav, "-rf64", "always", "-c:a", "pcm_s24le", path)
    path.write_bytes(path.read_bytes().replace(b"RF64", b"BW64", 1))
    decode(path, tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").subtype == "PCM_24"
    np.testing.assert_array_equal(read(tmp_path / "out.wav"), read(wav))


def test_a_phone_memo_is_decoded_to_the_sample(tmp_path, wav):
    """The program ffmpeg is often built without an encoder of AMR, so PyAV makes the file."""
    import av

    path = tmp_path / "memo.amr"
    with av.open(str(path), "w") as memo, av.open(str(wav)) as song:
        stream = memo.add_stream("libopencore_amrnb", rate=8000, layout="mono")
        stream.bit_rate = 12200
        for frame in song.decode(audio=0):
            memo.mux(stream.encode(frame))
        memo.mux(stream.encode(None))
    done = decode(path, tmp_path / "out.wav")
    assert done.seconds == pytest.approx(recordings.NB_SAMPLES / RATE, abs=0.1)
    assert peak_difference(read(tmp_path / "out.wav"), decoded_by_ffmpeg(path, 1)) <= ROUNDING
