"""The check of an uploaded file of any format. What is not plain WAV is examined by a process of the model side.

That process recognises the format, and refuses what is in none of those it knows before any library sees it. Here, a
crash or an endless loop in a library costs one upload.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiofiles import riff, wav_header
from webapp import limits, priority
from webapp.audio import wav_check
from webapp.audio.wav_check import MAX_CHANNELS, AudioInfo
from webapp.errors import AudioError, AudioTooLong
from webapp.paths import ROOT
from webapp.translation import mark_for_translation, translate

# Codecs inside WAV that are decoded like other containers' (RFC 2361): MPEG audio, AAC, WMA, AC-3, DTS.
ENCODED = {0x50, 0x55, 0xFF, 0x1600, 0x1601, 0x1602, 0x1610, 0x706D, 0x160, 0x161, 0x162, 0x163, 0x2000, 0x2001}
SEVERAL_TRACKS = mark_for_translation("The file has {number} audio tracks. The first one is separated.")
PROBLEMS = {
    "unknown": mark_for_translation("This file cannot be read as a sound file. Please choose a .wav file."),
    "protected": mark_for_translation("This file is protected against copying (DRM), so that it cannot be decoded."),
    "no sound": mark_for_translation("This file has no audio track."),
    "codec": mark_for_translation("The sound in this file is encoded as {codec}, which cannot be decoded here."),
    "damaged": mark_for_translation("This file is damaged: no sound in it can be decoded."),
}


@dataclass(frozen=True)
class RecordingInfo(AudioInfo):
    """What is known of a checked file. `wav_bytes` is the expected size of its decoded WAV; 0 for a plain WAV file."""

    wav_bytes: int = 0


def check(path: Path) -> AudioInfo:
    """Check the file at `path`. Raises AudioError or AudioTooLong if it cannot be separated."""
    if path.stat().st_size == 0 or _is_plain_wav(path):
        return wav_check.check(path)
    return _check_encoded(_probe(path))


def _is_plain_wav(path: Path) -> bool:
    with path.open("rb") as file:
        kind, _ = riff.find_form(file)
        header = wav_header.read_header(file)
    return kind != b"" and (header is None or header.format.tag not in ENCODED)


def _probe(path: Path) -> dict[str, Any]:
    """What the model side says of the file. Raises AudioError."""
    command = [sys.executable, "-m", "openunmix_models.probe", path.name]  # other users of the machine can read it
    environment = os.environ | priority.ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command,
            cwd=path.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.current().probe_seconds,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # it hung, or crashed
        found = {"problem": "damaged"}
    if problem := found.get("problem"):
        raise AudioError(translate(PROBLEMS[problem], codec=found.get("codec", "")))
    return found


def _check_encoded(found: dict[str, Any]) -> RecordingInfo:
    seconds, nb_channels = found["seconds"], found["nb_channels"]
    if nb_channels > MAX_CHANNELS:
        raise AudioError(
            translate(
                "This file has {channels} channels. Please choose one with at most {most}.",
                channels=nb_channels,
                most=MAX_CHANNELS,
            )
        )
    longest = limits.current().max_song_hours
    if seconds > longest * 3600:
        raise AudioTooLong(
            translate("This song is too long: at most {hours} hours can be separated.", hours=f"{longest:g}")
        )
    nb_bytes = round(seconds * found["sample_rate"]) * nb_channels * found["bytes_a_sample"]
    remarks = {SEVERAL_TRACKS: {"number": str(found["nb_tracks"])}} if found["nb_tracks"] > 1 else {}
    return RecordingInfo(seconds, False, remarks, nb_bytes)
