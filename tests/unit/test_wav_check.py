"""The check of an uploaded WAV: its length, whether it is cut off, and damaged headers."""

import contextlib
import os
import random
import subprocess
import sys

import pytest
import soundfile

from audiofiles import wav_header
from tests.support import wave_files
from tests.support.project import PROJECT
from webapp.audio import wav_check
from webapp.errors import AudioError, AudioTooLong


def damaged_headers(whole: bytes, count: int) -> list[bytes]:
    """The file with up to four changed bytes among its first 100, in `count` ways."""
    rng = random.Random(5)
    damaged = []
    for _ in range(count):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(100)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        damaged.append(bytes(content))
    return damaged


@pytest.mark.parametrize(
    "whole", [wave_files.wav(), wave_files.rf64(), wave_files.encoded(format="WAVEX", subtype="PCM_24")]
)
def test_damaged_headers_are_accepted_or_refused_without_other_errors(tmp_path, whole):
    path = tmp_path / "song.wav"
    damaged = [whole[:length] for length in range(120)] + damaged_headers(whole, 400)
    nb_refused = 0
    for content in damaged:
        path.write_bytes(content)
        with contextlib.suppress(AudioError, AudioTooLong):
            nb_refused += 1
            assert wav_check.check(path).seconds > 0
            nb_refused -= 1
    assert 50 < nb_refused < len(damaged)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_an_ordinary_header_is_read_as_libsndfile_reads_it(tmp_path, subtype):
    path = tmp_path / "song.wav"
    whole = wave_files.encoded(subtype=subtype)
    nb_ordinary = 0
    for content in [whole, *damaged_headers(whole, 300)]:
        path.write_bytes(content)
        header = wav_header.read(path)
        if header and wav_check._is_ordinary(header):
            nb_ordinary += 1
            info = soundfile.info(path)
            assert wav_check._stated_sound(header) == (info.channels, info.samplerate, info.frames)
            assert info.format in wav_check.WAV_FORMATS
    assert nb_ordinary > 20


def test_libsndfile_is_not_loaded_for_an_ordinary_header(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.wav())
    program = (
        "import sys; from pathlib import Path; from webapp.audio import recording_check;"
        "recording_check.check(Path(sys.argv[1])); print(sorted({'numpy', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, path], cwd=PROJECT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("missing", [0, 1, 4])
def test_a_truncated_file_is_detected_to_the_byte(tmp_path, missing):
    path = tmp_path / "song.wav"
    content = wave_files.wav()
    path.write_bytes(content[: len(content) - missing])
    assert wav_check.check(path).cut_off == (missing > 0)


def test_the_lengths_of_a_streamed_file_are_repaired(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.wav(data_length=0, riff_length=36))
    assert wav_check.check(path) == wav_check.check(path) == wav_check.AudioInfo(seconds=1000 / 44100, cut_off=False)


@pytest.mark.skipif(os.name == "nt", reason="reads what a descriptor of another's holds")
def test_a_repaired_length_is_synced_to_disk(tmp_path, monkeypatch):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.wav(data_length=0, riff_length=0))
    kept = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: kept.append(os.pread(descriptor, 1 << 20, 0)))
    wav_check.check(path)
    assert kept[-1] == path.read_bytes() != wave_files.wav(data_length=0, riff_length=0)
