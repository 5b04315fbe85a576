"""Play notes: write them as a MIDI file, and render it with FluidSynth and a General MIDI sound font."""

import os
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from study.synthesis.effects import SAMPLE_RATE

SOUND_FONT = Path(os.environ.get("SOUND_FONT", "/usr/share/sounds/sf2/FluidR3_GM.sf2"))
TICKS = 480  # per beat
DRUM_CHANNEL = 9


@dataclass(frozen=True)
class Note:
    """`start` and `length` are in beats, `pitch` is a MIDI pitch (60 is middle C), reached from `bend` semitones."""

    start: float
    length: float
    pitch: int
    velocity: int
    bend: float = 0.0


@dataclass(frozen=True)
class Part:
    """Notes of one instrument, or with `drums` of one kit. `program` is the General MIDI program, counted from 0."""

    program: int
    notes: list[Note]
    vibrato: int = 0
    drums: bool = False


def play(parts: Iterable[Part], tempo: float, seconds: float, sound_font: Path = SOUND_FONT) -> np.ndarray:
    """Render the parts without reverberation.

    Args:
        parts: at most 15 instruments and a drum kit.
        tempo: in beats per minute.
        seconds: length of the result.
        sound_font: path of the sound font.
    Returns:
        the sound, (2, nb_samples) float32.
    Raises:
        OSError: FluidSynth could not be started.
    """
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "notes.mid"), Path(folder, "sound.wav")
        midi.write_bytes(_midi_file(list(parts), tempo))
        options = [
            "-n",
            "-i",
            "-q",
            "-R",
            "0",
            "-C",
            "0",
            "-g",
            "0.5",
            "-r",
            str(SAMPLE_RATE),
            "-O",
            "float",
            "-T",
            "wav",
        ]
        fast = ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.cpu-cores=1", "-o", "synth.polyphony=128"]
        command = ["fluidsynth", *options, *fast, "-F", str(wav), str(sound_font), str(midi)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        sound, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    nb_samples = int(seconds * SAMPLE_RATE)
    return np.pad(sound.T[:, :nb_samples], ((0, 0), (0, max(0, nb_samples - len(sound)))))


def _midi_file(parts: list[Part], tempo: float) -> bytes:
    """Return a MIDI file of format 0."""
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    tempo_event = b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big")
    events = [(0, 0, tempo_event)]
    for part in parts:
        channel = DRUM_CHANNEL if part.drums else channels.pop(0)
        events += _part_events(part, channel)
    track, now = b"", 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + TICKS.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def _part_events(part: Part, channel: int) -> list[tuple[int, int, bytes]]:
    """Return (tick, order within the tick, message) of a part. Notes end before others begin."""
    events = [(0, 1, bytes([0xC0 | channel, part.program])), (0, 2, bytes([0xB0 | channel, 1, part.vibrato]))]
    for note in part.notes:
        start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
        if not 0 <= note.pitch < 128 or start < 0:
            continue
        events += [(tick, 3, _bend(channel, bend)) for tick, bend in _glide(note, start)]
        velocity = min(127, max(1, note.velocity))
        events.append((start, 4, bytes([0x90 | channel, note.pitch, velocity])))
        events.append((max(end, start + 1), 0, bytes([0x80 | channel, note.pitch, 0])))
    return events


def _glide(note: Note, start: int) -> list[tuple[int, float]]:
    """Return the ticks and semitones of the glide into a note."""
    if not note.bend:
        return []
    nb_steps, length = 12, min(0.4 * note.length, 0.35) * TICKS
    return [
        (round(start + length * step / nb_steps), note.bend * (1 - step / nb_steps)) for step in range(nb_steps + 1)
    ]


def _bend(channel: int, semitones: float) -> bytes:
    """Return a pitch bend message; the range in General MIDI is two semitones in each direction."""
    value = min(16383, max(0, round(8192 + 4096 * semitones)))
    return bytes([0xE0 | channel, value & 127, value >> 7])


def _variable_length(number: int) -> bytes:
    digits = [number & 127]
    while number := number >> 7:
        digits.insert(0, number & 127 | 128)
    return bytes(digits)
