"""WAV headers that libsndfile refuses or misreads: the samples that are there are found, whatever the header says."""

import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from audiofiles import riff, wav_header
from tests.support import wave_files
from tests.support.tagged_files import chunk
from webapp.audio import wav_check
from webapp.errors import AudioError

FORMAT = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
DAMAGED = struct.pack("<HHIIHH", 1, 0, 0, 0, 0, 0)
SAMPLES = np.random.default_rng(1).integers(-9000, 9000, (1000, 2)).astype("<i2")
DATA = chunk(b"data", SAMPLES.tobytes())
GIB = 1 << 30


def wav(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    content = b"".join(chunks)
    return kind + struct.pack("<I", 4 + len(content)) + b"WAVE" + content


def fmt(content: bytes = FORMAT) -> bytes:
    return chunk(b"fmt ", content)


def samples_of(path) -> np.ndarray:
    return soundfile.read(wav_header.readable(path), dtype="int16", always_2d=True)[0]


SIZES = struct.pack("<QQQI", 0, SAMPLES.nbytes, 1000, 0)
OPEN_DATA = b"data\xff\xff\xff\xff" + SAMPLES.tobytes()
ODD = {
    "a second format": wav(fmt(), fmt(), DATA),
    "a damaged format first": wav(fmt(DAMAGED), fmt(), DATA),
    "a damaged format second": wav(fmt(), fmt(DAMAGED), DATA),
    "a damaged format last": wav(fmt(), DATA, fmt(DAMAGED)),
    "the format after the samples": wav(DATA, fmt()),
    "an empty chunk of samples first": wav(fmt(), chunk(b"data", b""), DATA),
    "a second chunk of samples": wav(fmt(), DATA, chunk(b"data", bytes(400))),
    "no bits": wav(fmt(FORMAT[:14] + b"\0\0"), DATA),
    "no bits at all": wav(fmt(FORMAT[:14]), DATA),
    "no frame length": wav(fmt(FORMAT[:12] + b"\0\0\x10\0"), DATA),
    "a wrong frame length": wav(fmt(FORMAT[:12] + b"\3\0\x10\0"), DATA),
    "an extension that is missing": wav(fmt(b"\xfe\xff" + FORMAT[2:]), DATA),
    "an empty subformat": wav(fmt(b"\xfe\xff" + FORMAT[2:] + struct.pack("<HHIH", 22, 16, 3, 1) + bytes(14)), DATA),
    "zeros between chunks": wav(fmt(), bytes(8), DATA),
    "an odd chunk without padding": wav(fmt(), b"JUNK\3\0\0\0abc", DATA),
    "ID3 before the file": b"ID3\3\0\0\0\0\0\x0aTIT2\0\0\0\0\0\0" + wav(fmt(), DATA),
    "BW64": wav(chunk(b"ds64", SIZES), fmt(), OPEN_DATA, kind=b"BW64"),
    "RF64 without lengths": wav(chunk(b"ds64", bytes(28)), fmt(), OPEN_DATA, kind=b"RF64"),
    "a length of 0": wav(fmt(), b"data\0\0\0\0" + SAMPLES.tobytes()),
    "the placeholder of FFmpeg": wav(fmt(), OPEN_DATA),
    "the placeholder of SoX": wav(fmt(), b"data\x00\xf0\xff\x7f" + SAMPLES.tobytes()),
    "the placeholder of LAME": wav(fmt(), b"data\xff\xff\xff\x7f" + SAMPLES.tobytes()),
    "a placeholder less its header": wav(fmt(), b"data\xdb\xff\xff\xff" + SAMPLES.tobytes()),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_headers_that_players_read_are_read(tmp_path, content):
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    assert (samples_of(path) == SAMPLES).all()
    info = wav_check.check(path)
    assert (info.seconds, info.cut_off) == (1000 / 44100, False)
    assert (samples_of(path) == SAMPLES).all()


def test_a_plain_file_is_read_by_libsndfile_itself(tmp_path):
    path = tmp_path / "song.wav"
    for content in (wave_files.wav(), wave_files.rf64(), wave_files.encoded(format="WAVEX", subtype="PCM_24")):
        path.write_bytes(content)
        assert wav_header.readable(path) == (os.fsencode(path) if os.name == "posix" else str(path))


@pytest.mark.parametrize("declared", [4002, 0x7FFEFFFF, 0xFFFEFFFF, 3 << 30])
def test_a_length_that_no_program_uses_as_a_placeholder_means_that_the_file_is_cut_off(tmp_path, declared):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.wav(data_length=declared))
    info = wav_check.check(path)
    assert (info.seconds, info.cut_off) == (1000 / 44100, True)


def test_an_honest_length_of_0_is_silence(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(wav(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFO"), chunk(b"odd ", b"abc")))
    with pytest.raises(AudioError, match="no sound"):
        wav_check.check(path)


def test_a_second_chunk_of_samples_is_mentioned(tmp_path):
    path = tmp_path / "song.wav"
    for name, content in ODD.items():
        path.write_bytes(content)
        assert list(wav_check.check(path).remarks) == [wav_check.SECOND_PART] * (name == "a second chunk of samples")


# Beyond 4 GiB; the files are sparse


def large(path, declared: int, nb_bytes: int, trailer: bytes = b"", order: str = "<") -> None:
    kind, head = (b"RIFX", FORMAT) if order == ">" else (b"RIFF", FORMAT)
    head = kind + struct.pack(f"{order}I", 0xFFFFFFFF) + b"WAVE" + fmt(head)
    with path.open("wb") as file:
        file.write(head + b"data" + struct.pack("<I", declared))
        start = file.tell()
        file.truncate(start + nb_bytes)
        for offset, value in ((0, b"\1\0\2\0"), (nb_bytes - 4, b"\3\0\4\0")):
            file.seek(start + offset)
            file.write(value)
        file.seek(0, os.SEEK_END)
        file.write(trailer)


LENGTHS = [5 * GIB, 9 * GIB + 4]
TRAILER = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Song\0"))


@pytest.mark.parametrize("trailer", [b"", TRAILER], ids=["nothing after", "a list after"])
@pytest.mark.parametrize("nb_bytes", LENGTHS)
@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF, 0x7FFFF000, "modulo"])
def test_all_samples_beyond_4_gib_are_read(tmp_path, declared, nb_bytes, trailer):
    path = tmp_path / "song.wav"
    declared = nb_bytes % (1 << 32) if declared == "modulo" else declared
    large(path, declared, nb_bytes, trailer)
    # Where a placeholder stands for the length, nothing tells that a list follows the samples.
    told = nb_bytes + (len(trailer) if declared != nb_bytes % (1 << 32) else 0)
    with soundfile.SoundFile(wav_header.readable(path)) as file:
        assert file.frames == told // 4
        assert file.read(1, dtype="int16").tolist() == [[1, 2]]
        file.seek(nb_bytes // 4 - 1)
        assert file.read(1, dtype="int16").tolist() == [[3, 4]]
    header = wav_header.read(path)
    assert not header.data.is_cut_off


def test_bytes_after_an_honest_length_are_no_samples(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.wav() + b"rest of a disk" * 1000)
    assert samples_of(path).shape == (1000, 2)


# Programs that write to a pipe


def piped(tmp_path, command: str) -> bytes:
    program = command.split()[0]
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    return subprocess.run(command, shell=True, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout  # noqa: S602


PIPES = {
    "lame": "lame --quiet song.wav song.mp3 && lame --quiet --decode song.mp3 -",
    "espeak-ng": "espeak-ng --stdout 'Hello, world'",
    "sox": "sox song.wav -t wav - speed 1.1",
    "sox from a pipe": "sox song.wav -t raw - | sox -t raw -r 44100 -c 2 -b 16 -e signed - -t wav -",
    "sox, 24 bit, from a pipe": "sox song.wav -t raw - | sox -t raw -r 44100 -c 2 -b 16 -e signed - -b 24 -t wav -",
    "ffmpeg": "ffmpeg -v error -i song.wav -f wav -",
    "ffmpeg, RF64": "ffmpeg -v error -i song.wav -rf64 always -f wav -",
    "ffmpeg, 24 bit": "ffmpeg -v error -i song.wav -c:a pcm_s24le -f wav -",
}


@pytest.mark.parametrize("command", PIPES.values(), ids=PIPES.keys())
def test_whole_files_from_pipes_are_whole(tmp_path, command):
    (tmp_path / "song.wav").write_bytes(wave_files.wav(np.tile(SAMPLES, (40, 1)).tobytes()))
    path = tmp_path / "piped.wav"
    path.write_bytes(piped(tmp_path, command))
    info = wav_check.check(path)
    assert not info.cut_off
    assert info.seconds > 0.5
    path.write_bytes(path.read_bytes()[:-1000])
    header = wav_header.read(path)
    assert header.data.is_cut_off != riff.is_placeholder(header.data.declared)


def test_the_codec_inside_is_named(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(wav(fmt(b"\0\x20" + FORMAT[2:]), DATA))
    with pytest.raises(AudioError, match=r"encoded as AC-3"):
        wav_check.check(path)
    path.write_bytes(wav(fmt(b"\x34\x12" + FORMAT[2:]), DATA))
    with pytest.raises(AudioError, match=r"encoded as 0x1234"):
        wav_check.check(path)
