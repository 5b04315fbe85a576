"""A subtractive synthesizer: detuned saws, squares and sines with glides and filters.

V. Välimäki and A. Huovilainen, "Antialiasing oscillators in subtractive synthesis", 2007 ("PolyBLEP").
"""

import numpy as np

from study.synthesis import effects
from study.synthesis.composition import Plan
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note


def synthesize_notes(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    """Play notes with detuned saws, squares or sines, glides and a low-pass filter. Returns (2, nb_samples) float32."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    out, shape = np.zeros((2, nb_samples), np.float32), int(rng.integers(3))
    detune, nb_voices = rng.uniform(0, 0.2), int(rng.choice([1, 2, 3]))
    attack, decay, cutoff = rng.choice([0.004, 0.01, 0.1]), rng.uniform(0.3, 6.0), rng.uniform(600, 9000)
    for note in notes:
        start, length = int(note.start * 60 / plan.tempo * SAMPLE_RATE), note.length * 60 / plan.tempo
        time = np.arange(int((length + 0.08) * SAMPLE_RATE)) / SAMPLE_RATE
        envelope = np.minimum(1, time / attack) * np.exp(-time / decay) * np.clip((length + 0.08 - time) / 0.08, 0, 1)
        for voice in range(nb_voices):
            pitch = note.pitch + detune * rng.normal() + note.bend * np.exp(-time / 0.08)
            sound = wave(pitch, rng.random(), shape) * envelope * note.velocity / 127
            stereo = effects.panned(sound, 0.7 * (voice - (nb_voices - 1) / 2))
            out[:, start : start + len(time)] += stereo[:, : max(0, nb_samples - start)]
    return effects.filtered(out, "lowpass", cutoff)


def wave(pitch: np.ndarray, phase: float, shape: int) -> np.ndarray:
    """Return a saw (shape 0), a square (1) or a sine (2).

    Args:
        pitch: MIDI pitch of each sample, (nb_samples,).
        phase: at the start, from 0 to 1.
        shape: 0, 1 or 2. Steps are smoothed over one sample on each side (PolyBLEP).
    """
    step = 440 * 2 ** ((pitch - 69) / 12) / SAMPLE_RATE
    turn = (phase + np.cumsum(step)) % 1
    if shape == 2:
        return np.sin(2 * np.pi * turn)
    saw = 2 * turn - 1 - _blep(turn, step)
    if shape == 0:
        return saw
    half = (turn + 0.5) % 1
    return saw - (2 * half - 1 - _blep(half, step))


def _blep(turn: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return the correction that smooths the step from 1 to 0 over one sample on each side."""
    after, before = np.clip(turn / step, 0, 1), np.clip((turn - 1) / step, -1, 0)
    return np.where(turn < 0.5, -((after - 1) ** 2), (before + 1) ** 2)
