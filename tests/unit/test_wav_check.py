"""The check of an uploaded WAV: its length, whether it is cut off, and damaged headers."""

import contextlib
import os
import random

import pytest

from tests.support import wave_files
from webapp.audio import wav_check
from webapp.errors import AudioError, AudioTooLong


@pytest.mark.parametrize(
    "whole", [wave_files.wav(), wave_files.rf64(), wave_files.encoded(format="WAVEX", subtype="PCM_24")]
)
def test_damaged_headers_are_accepted_or_refused_without_other_errors(tmp_path, whole):
    rng = random.Random(5)
    path = tmp_path / "song.wav"
    damaged = [whole[:length] for length in range(120)]
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(100)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        damaged.append(bytes(content))
    nb_refused = 0
    for content in damaged:
        path.write_bytes(content)
        with contextlib.suppress(AudioError, AudioTooLong):
            nb_refused += 1
            assert wav_check.check(path).seconds > 0
            nb_refused -= 1
    assert 50 < nb_refused < len(damaged)


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
