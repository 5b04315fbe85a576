"""The command's stems: what the input says besides its samples, samples above full scale, and samples that are none."""

import json
import re
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from audiofiles import metadata
from openunmix_models.__main__ import main
from openunmix_models.separation import lowering
from openunmix_models.soundfiles import Encoding
from tests.support import wave_files
from tests.support.random_model import save_random_model
from tests.support.tagged_files import JPEG, chunk, frame, tag, wave_with
from webapp.engines import table

NB_SAMPLES = 3000


@pytest.fixture
def separate(tmp_path, monkeypatch, capsys):
    """Run the command over a file of the test's folder; return the stems' paths and what it says."""
    monkeypatch.chdir(tmp_path)
    save_random_model(tmp_path / "tiny", ["vocals"], hidden_size=16)

    def run(name: str, *more: str, status: int = 0):
        argv = [name, "--model", "tiny", "--targets", "vocals", "--residual", "residual", "--outdir", "out", *more]
        assert main(argv) == status
        return sorted((tmp_path / "out" / name.split(".")[0]).glob("[!.]*")), capsys.readouterr().err

    return run


def noise(peak: float, nb_channels: int = 2, dtype: str = "float32") -> np.ndarray:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (NB_SAMPLES, nb_channels))
    samples[1000] = 1.0
    return (peak * samples).astype(dtype)


def total(paths) -> np.ndarray:
    return sum(soundfile.read(path, always_2d=True)[0] for path in paths)


def assert_adds_up(paths, mixture: np.ndarray) -> None:
    """The sum is that of exact numbers, but for one unit in the last place of the largest sample in it."""
    parts = [soundfile.read(path, always_2d=True)[0] for path in paths]
    largest = np.abs([mixture, *parts]).max(0).astype(mixture.dtype)
    assert (np.abs(sum(parts) - mixture) <= np.spacing(largest)).all()


def remarks(said: str) -> dict[str, dict[str, str]]:
    """What the result page makes of what the command says."""
    return table.find_engine("openunmix").remarks(said)


# Above full scale


def attenuation(said: str) -> float:
    """By how many dB the command says that it lowered all stems."""
    return float(re.search(r"the level of all stems was lowered by ([\d.]+) dB", said)[1])


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("peak", [3.2, 1.001, 100.0])
def test_a_mixture_above_full_scale_is_lowered_as_a_whole(tmp_path, separate, subtype, peak):
    soundfile.write(tmp_path / "song.wav", noise(peak), 44100, subtype=subtype)
    paths, said = separate("song.wav", "--ext", ".flac")
    decibels = attenuation(said)
    assert 0 <= decibels - 20 * np.log10(peak) <= 0.0101
    assert np.abs(total(paths) - noise(peak) * 10 ** (-decibels / 20)).max() < 2 * 2.0**-23


@pytest.mark.parametrize("ext", [".wav", ".flac"])
def test_a_mixture_within_full_scale_keeps_its_level(tmp_path, separate, ext):
    soundfile.write(tmp_path / "song.wav", noise(1.0), 44100, subtype="FLOAT")
    paths, said = separate("song.wav", "--ext", ext)
    assert remarks(said) == {}
    assert np.abs(total(paths) - noise(1.0)).max() < 2 * 2.0**-23


def test_float_stems_hold_any_level(tmp_path, separate):
    soundfile.write(tmp_path / "song.wav", noise(3.2), 44100, subtype="FLOAT")
    paths, said = separate("song.wav")
    assert remarks(said) == {}
    assert_adds_up(paths, noise(3.2))


def test_a_compressed_file_that_decodes_above_full_scale_is_lowered(tmp_path, separate):
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    soundfile.write(tmp_path / "loud.wav", noise(1.0), 44100, subtype="FLOAT")
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        "loud.wav",
        "-af",
        "volume=6dB",
        "-sample_fmt",
        "fltp",
        "-c:a",
        "libvorbis",
        "song.ogg",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    as_wav = ["ffmpeg", "-v", "error", "-i", "song.ogg", "-c:a", "pcm_f32le", "decoded.wav"]
    subprocess.run(as_wav, cwd=tmp_path, check=True)
    decoded = soundfile.read(tmp_path / "decoded.wav")[0]
    paths, said = separate("song.ogg", "--ext", ".flac")
    assert np.abs(decoded).max() > 1
    decibels = attenuation(said)
    assert np.abs(total(paths) - decoded * 10 ** (-decibels / 20)).max() < 2 * 2.0**-23


@pytest.mark.parametrize(
    ("peak", "subtype", "decibels"), [(1.0, "PCM_16", 0), (10.0, "PCM_24", 20), (10.0, "FLOAT", 0)]
)
def test_the_lowering_is_stated_to_two_digits(peak, subtype, decibels):
    assert lowering(peak, Encoding(subtype)) == decibels
    assert lowering(peak * 1.0001, Encoding("PCM_16")) == pytest.approx(20 * np.log10(peak) + 0.01)


# Samples that are no numbers


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_no_numbers_are_silence(tmp_path, separate, subtype):
    samples = noise(0.5, dtype="float64" if subtype == "DOUBLE" else "float32")
    samples[5, 0], samples[7, 1], samples[8], samples[NB_SAMPLES - 1, 0] = np.nan, np.inf, -np.inf, 1e30
    soundfile.write(tmp_path / "song.wav", samples, 44100, subtype=subtype)
    paths, said = separate("song.wav")
    assert list(remarks(said).values()) == [{"number": "5"}]
    samples[~(np.abs(samples) < 2)] = 0
    assert_adds_up(paths, samples)


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_a_file_of_no_numbers_is_refused(tmp_path, separate, value):
    soundfile.write(tmp_path / "song.wav", np.full((NB_SAMPLES, 2), value), 44100, subtype="FLOAT")
    paths, said = separate("song.wav", status=2)
    assert paths == []
    assert "not numbers, or far beyond full scale" in said


# Chunks, tags, layouts

CUE = chunk(b"cue ", struct.pack("<IIIIIII", 1, 1, 500, 0x61746164, 0, 0, 500))
ID3 = chunk(
    b"id3 ", tag(frame(b"TIT2", b"\0Song"), frame(b"TKEY", b"\0Am"), frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG))
)


@pytest.mark.parametrize("ext", [".wav", ".flac"])
def test_stems_get_tags_and_chunks(tmp_path, separate, ext):
    (tmp_path / "song.wav").write_bytes(wave_with(CUE, ID3))
    paths, _ = separate("song.wav", "--ext", ext)
    for path in paths:
        found = metadata.read(path)
        assert found.tags.texts == {"TITLE": [f"Song ({path.stem})"], "INITIALKEY": ["Am"]}
        assert (found.tags.cover, found.chunks[0]) == (JPEG, (b"cue ", CUE[8:]))
    assert [path.name for path in (tmp_path / "out" / "song").glob(".*")] == []


def test_what_is_left_out_is_said(tmp_path, separate):
    (tmp_path / "song.wav").write_bytes(wave_with(CUE, ID3, data=bytes(400_000)))
    paths, said = separate("song.wav", "--start", "0.5")
    assert "the stems do not have what the file says in cue." in said
    assert metadata.read(paths[0]).tags.texts["INITIALKEY"] == ["Am"]
    paths, said = separate("song.wav", "--ext", ".w64")
    assert "the stems do not have what the file says in cue, id3." in said


@pytest.mark.parametrize("ext", [".wav", ".flac"])
@pytest.mark.parametrize("layout", ["3.0", "2.1", "5.1(side)", "hexagonal", "7.1(wide)", "mono"])
def test_stems_state_the_layout_of_the_input(tmp_path, separate, layout, ext):
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    nb_channels = {"3.0": 3, "2.1": 3, "5.1(side)": 6, "hexagonal": 6, "7.1(wide)": 8, "mono": 1}[layout]
    soundfile.write(tmp_path / "plain.wav", noise(0.5, nb_channels), 44100, subtype="PCM_24")
    pan = "|".join([f"pan={layout}", *(f"c{channel}=c{channel}" for channel in range(nb_channels))])
    command = ["ffmpeg", "-v", "error", "-i", "plain.wav", "-af", pan, "-c:a", "pcm_s24le", "song.wav"]
    subprocess.run(command, cwd=tmp_path, check=True)
    paths, _ = separate("song.wav", "--ext", ext)
    assert {layout_of(path) for path in (*paths, tmp_path / "song.wav")} == {layout}
    reads = [metadata.read_layout(path) for path in (*paths, tmp_path / "song.wav")]
    assert len({read and read.mask for read in reads} - {None, 0x4}) == (layout != "mono")


def layout_of(path) -> str:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=channel_layout", "-of", "json", path]
    (stream,) = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["streams"]
    return stream.get("channel_layout", "mono").replace("unknown", "mono")


def test_w64_stems_of_a_stated_layout_are_refused(tmp_path, separate):
    content = wave_files.encoded(nb_channels=3, format="WAVEX", subtype="PCM_16")
    (tmp_path / "song.wav").write_bytes(content)
    paths, said = separate("song.wav", "--ext", ".w64", status=2)
    assert paths == []
    assert "states the positions of its channels" in said
