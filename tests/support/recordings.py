"""Encoded recordings, made and decoded by the programs ffmpeg and lame, to compare with."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 44100
NB_SAMPLES = 2 * RATE + 1234  # no multiple of any codec's frame
needs_ffmpeg = pytest.mark.skipif(not (shutil.which("ffmpeg") and shutil.which("lame")), reason="needs ffmpeg and lame")

VIDEO = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=2", "-map", "1:v", "-map", "0:a")
# A file's name → the arguments of ffmpeg that make it.
FORMATS = {
    "xing.mp3": (),
    "no_xing.mp3": ("-write_xing", "0"),
    "song.m4a": ("-c:a", "aac"),
    "alac.m4a": ("-c:a", "alac"),
    "song.aac": ("-c:a", "aac"),
    "song.flac": (),
    "deep.flac": ("-filter:a", "volume=0.3", "-sample_fmt", "s32"),
    "song.ogg": ("-c:a", "libvorbis"),
    "song.opus": ("-c:a", "libopus"),
    "song.aiff": (),
    "song.caf": ("-c:a", "pcm_s24le", "-filter:a", "volume=0.3"),
    "song.w64": (),
    "song.wma": ("-c:a", "wmav2"),
    "ac3.wav": ("-c:a", "ac3"),
    "mp2.wav": ("-c:a", "mp2"),
    "wma.wav": ("-c:a", "wmav2"),
    "mp3.wav": ("-c:a", "libmp3lame"),
    "adts.wav": ("-c:a", "aac", "-f", "adts"),  # copied into WAV below
    "song.mp4": (*VIDEO, "-c:v", "mpeg4", "-c:a", "aac"),
    "song.mov": (*VIDEO, "-c:v", "mpeg4", "-c:a", "pcm_s16le"),
    "song.mkv": (*VIDEO, "-c:v", "mpeg4", "-c:a", "ac3"),
    "song.webm": ("-c:a", "libopus"),
    "surround.m4a": ("-filter:a", "pan=5.1|FL=FL|FR=FR|FC=.5*FL|LFE=.1*FR|BL=.3*FL|BR=.2*FR", "-c:a", "aac"),
}


def song(path: Path, nb_samples: int = NB_SAMPLES, loudness: float = 0.4) -> Path:
    """Write a WAV file of 16 bits with a chord, a sweep and noise, different in each channel."""
    rng = np.random.default_rng(7)
    time = np.arange(nb_samples) / RATE
    left = np.sin(2 * np.pi * 220 * time) + np.sin(2 * np.pi * (300 + 900 * time) * time)
    right = np.sin(2 * np.pi * 330 * time) + 0.3 * rng.normal(size=nb_samples)
    samples = loudness * np.stack([left, right], axis=1) / 2
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def make(name: str, wav: Path, *arguments: str) -> Path:
    """Let ffmpeg make the recording `name` of FORMATS beside `wav`."""
    path = wav.with_name(name)
    if name == "adts.wav":
        stream = wav.with_name("stream.aac")
        run("ffmpeg", "-i", wav, *FORMATS[name], stream)
        run("ffmpeg", "-i", stream, "-c", "copy", path)
    else:
        run("ffmpeg", "-i", wav, *FORMATS[name], *arguments, path)
    return path


def lame(wav: Path, *arguments: str) -> Path:
    path = wav.with_name("lame.mp3")
    run("lame", "--quiet", *arguments, wav, path)
    return path


def run(program: str, *arguments: object) -> bytes:
    quiet = ("-v", "error", "-y") if program == "ffmpeg" else ()
    return subprocess.run(
        [program, *quiet, *map(str, arguments)], check=True, capture_output=True, stdin=subprocess.DEVNULL
    ).stdout


def decoded_by_ffmpeg(path: Path, nb_channels: int = 2) -> np.ndarray:
    """The first audio track, (nb_samples, nb_channels) as float32, as the program ffmpeg decodes it."""
    content = run("ffmpeg", "-i", path, "-map", "0:a:0", "-f", "f32le", "-c:a", "pcm_f32le", "-")
    return np.frombuffer(content, np.float32).reshape(-1, nb_channels)


def peak_difference(samples: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of full scale; the lengths must be equal."""
    assert samples.shape == expected.shape
    return float(np.abs(samples - expected).max())
