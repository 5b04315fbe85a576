"""Turn analysed speech into singing, expressive speech, whispering or growling."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from study.synthesis import effects
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note
from study.synthesis.voices import FRAME_PERIOD, NB_BINS, SILENCE, Speech, Voice

LEGATO = 0.15  # seconds; shorter gaps between notes are sung through
RELEASE = 12  # frames of the fade at the start and end of a phrase


def as_sung(voice: Voice, speech: Speech, notes: list[Note], tempo: float, rng: np.random.Generator) -> Speech:
    """Sing the syllables of `speech` on `notes`: consonants keep their speed, vowels are sustained.

    Surplus syllables are left out; surplus notes continue the previous vowel (melisma).
    """
    bounds = _syllables(speech)
    groups = _shared(notes, len(bounds) - 1)
    first = notes[0].start
    sources: list[np.ndarray] = []
    for index, (group, begin, end) in enumerate(zip(groups, bounds[:-1], bounds[1:], strict=False)):
        following = groups[index + 1][0].start if index + 1 < len(groups) else np.inf
        last = group[-1].start + group[-1].length
        last = following if following - last < LEGATO * tempo / 60 else last
        length = _frame(last - first, tempo) - _frame(group[0].start - first, tempo)
        gap = _frame(group[0].start - first, tempo) - sum(map(len, sources))
        sources += [np.full(max(0, gap), -1), _stretched(speech, begin, end, max(length, 8))]
    frames = np.concatenate(sources)
    rest = frames < 0
    melody = _melody(voice, notes, tempo, len(frames), rng)
    return Speech(
        np.where((speech.pitch[frames] > 0) & ~rest, melody, 0.0),
        np.maximum(speech.spectrum[frames] * _dynamics(rest, rng), SILENCE),
        speech.aperiodicity[frames],
        speech.band,
    )


def as_spoken(voice: Voice, speech: Speech, liveliness: float) -> Speech:
    """Move `speech` to the voice's register, and scale its intonation by `liveliness`."""
    voiced = speech.pitch > 0
    semitones = np.zeros_like(speech.pitch)
    if voiced.any():
        semitones[voiced] = 12 * np.log2(speech.pitch[voiced] / np.median(speech.pitch[voiced]))
    return replace(speech, pitch=np.where(voiced, voice.low * 2 ** (liveliness * semitones / 12), 0.0))


def as_whispered(speech: Speech) -> Speech:
    """Remove the pitch of `speech`."""
    tilt = np.linspace(0, 1, NB_BINS) ** 0.3  # a whisper has little below 500 Hz
    return replace(speech, pitch=np.zeros_like(speech.pitch), spectrum=speech.spectrum * tilt**4)


def growled(sound: np.ndarray, pitch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make a voice rough: attenuate every other period irregularly, and apply distortion."""
    turns = np.cumsum(np.repeat(pitch, int(FRAME_PERIOD * SAMPLE_RATE) + 1)[: len(sound)]) / SAMPLE_RATE
    turns = np.pad(turns, (0, len(sound) - len(turns)), "edge")
    jitter = np.interp(np.arange(len(sound)), np.arange(0, len(sound), 400), rng.random(-(-len(sound) // 400)))
    rough = 1 - 0.6 * jitter * (0.5 + 0.5 * np.sin(np.pi * turns + 3 * jitter))
    return effects.distorted((sound * rough)[None].astype(np.float32), rng.uniform(6, 20))[0]


def _frame(beats: float, tempo: float) -> int:
    return round(beats * 60 / tempo / FRAME_PERIOD)


def _syllables(speech: Speech) -> list[int]:
    """Return the frames that bound the syllables: minima of the voiced energy, at least 90 ms apart."""
    energy = np.where(speech.pitch > 0, np.sqrt(speech.spectrum.sum(1)), 0.0)
    smooth = np.convolve(energy, np.hanning(15) / np.hanning(15).sum(), "same")
    inner = np.arange(1, len(smooth) - 1)
    dips = inner[(smooth[inner] <= smooth[inner - 1]) & (smooth[inner] < smooth[inner + 1])]
    bounds = [0]
    for dip in dips:
        if dip - bounds[-1] >= 18 and len(smooth) - dip >= 18 and smooth[bounds[-1] : dip].max() > 2 * smooth[dip]:
            bounds.append(int(dip))
    return [*bounds, len(smooth)]


def _shared(notes: list[Note], nb_syllables: int) -> list[list[Note]]:
    """Divide the notes evenly into consecutive groups, one for each syllable."""
    nb_groups = min(nb_syllables, len(notes))
    ends = np.linspace(0, len(notes), nb_groups + 1).round().astype(int)
    return [notes[begin:end] for begin, end in pairwise(ends)]


def _stretched(speech: Speech, begin: int, end: int, length: int) -> np.ndarray:
    """Return `length` frame indices: the loudest, voiced third is stretched, the rest keeps its speed if possible."""
    energy = np.where(speech.pitch[begin:end] > 0, speech.spectrum[begin:end].sum(1), 0.0)
    peak = begin + int(energy.argmax())
    left, right = max(begin, peak - (end - begin) // 6), min(end - 1, peak + (end - begin) // 6)
    edges = min(1.0, 0.7 * length / max(1, left - begin + end - right))
    knots = [0, edges * (left - begin), length - edges * (end - right), length]
    return np.interp(np.arange(length), knots, [begin, left, right, end - 1]).astype(int)


def _melody(voice: Voice, notes: list[Note], tempo: float, nb_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return the pitch (nb_frames,) in Hz: notes with glides, scoops, delayed vibrato, and drift."""
    time, first = np.arange(nb_frames) * FRAME_PERIOD, notes[0].start
    starts = np.array([(note.start - first) * 60 / tempo for note in notes])
    index = np.clip(np.searchsorted(starts, time, "right") - 1, 0, len(notes) - 1)
    since = time - starts[index]
    scoops = np.where(rng.random(len(notes)) < 0.3, rng.uniform(-2, 0.5, len(notes)), 0.0) * min(1, voice.glide * 20)
    pitch = np.array([note.pitch for note in notes], float)[index] + scoops[index] * np.exp(-since / 0.06)
    width = max(1, int(voice.glide / FRAME_PERIOD))
    window = np.hanning(width + 2)[1:-1]
    pitch = np.convolve(np.pad(pitch, (width // 2, width - 1 - width // 2), "edge"), window / window.sum(), "valid")
    vibrato = voice.vibrato * np.clip((since - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * voice.vibrato_rate * time)
    knots = np.arange(0, time[-1] + 0.4, 0.2)
    drift = np.interp(time, knots, voice.drift * rng.standard_normal(len(knots)))
    return 440 * 2 ** ((pitch + vibrato + drift - 69) / 12)


def _dynamics(rest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a factor for the power, (nb_frames, NB_BINS).

    It has silence in rests, fades next to them, and varying vocal effort in between, which affects frequencies above
    1 kHz more than those below.
    """
    window = np.hanning(2 * RELEASE + 1)
    padded = np.pad(np.where(rest, 0.0, 1.0), RELEASE)  # a phrase begins and ends in silence
    edges = np.clip(2 * np.convolve(padded, window / window.sum(), "valid") - 1, 0, 1)
    knots = np.arange(0, len(rest) + 60, 60)
    effort = np.interp(np.arange(len(rest)), knots, rng.normal(0, 2, len(knots)))
    octaves = np.log2(np.linspace(0, SAMPLE_RATE / 2, NB_BINS).clip(1000) / 1000)
    return edges[:, None] ** 2 * 10 ** (effort[:, None] * (1 + 0.5 * octaves) / 10)
