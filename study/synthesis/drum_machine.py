"""Synthesize drums like the analogue drum machines of the 1980s, with random settings.

Kick: a sine with falling pitch. Snare: two sines and noise. Clap: bursts of noise. Hi-hats and cymbals: six square
waves and noise.
"""

import numpy as np

from study.synthesis import effects
from study.synthesis.effects import SAMPLE_RATE


def draw_machine(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Return a kit in the format of `samples.draw_hits`: one sound of each kind of drum, (2, nb_samples), peak 1."""
    bright, metal = rng.uniform(0.5, 1.5), rng.uniform(0, 1)
    kit = {
        "kick": _kick(rng),
        "snare": _snare(rng, rng.uniform(12, 40)),
        "clap": _clap(rng),
        "side": _blip(rng, rng.uniform(600, 1900), rng.uniform(60, 150), 0.4),
        "hat": _metal(rng, metal, 7000 * bright, rng.uniform(35, 110)),
        "open": _metal(rng, metal, 6500 * bright, rng.uniform(6, 16)),
        "crash": _metal(rng, metal, 3500 * bright, rng.uniform(1.5, 4)),
        "ride": _metal(rng, metal, 5000 * bright, rng.uniform(4, 10)),
        "tom": _blip(rng, rng.uniform(70, 180), rng.uniform(6, 20), 0.1),
        "percussion": _blip(rng, rng.uniform(300, 1100), rng.uniform(15, 60), 0.2),
    }
    return {kind: [_finished(sound, rng)] for kind, sound in kit.items()}


def _finished(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the sound (nb_samples,) in stereo with a peak of 1, sometimes distorted."""
    stereo = np.stack([sound, sound]).astype(np.float32)
    if rng.random() < 0.3:
        stereo = np.tanh(stereo / np.abs(stereo).max(initial=1e-9) * effects.decibels(rng.uniform(3, 18)))
    return stereo / np.abs(stereo).max(initial=1e-9)


def _kick(rng: np.random.Generator) -> np.ndarray:
    decay = float(np.exp(rng.uniform(np.log(2.5), np.log(20))))
    time = _time(min(2.5, 5 / decay))
    deep, high, fall = rng.uniform(36, 65), rng.uniform(40, 500), rng.uniform(12, 70)
    body = np.sin(2 * np.pi * (deep * time + high / fall * (1 - np.exp(-fall * time)))) * np.exp(-decay * time)
    click = rng.standard_normal(len(time)) * np.exp(-rng.uniform(200, 900) * time)
    return body + rng.uniform(0, 0.4) * click


def _snare(rng: np.random.Generator, decay: float) -> np.ndarray:
    time, pitch = _time(5 / decay), rng.uniform(140, 260)
    tones = np.sin(2 * np.pi * pitch * time) + 0.6 * np.sin(2 * np.pi * pitch * rng.uniform(1.4, 1.9) * time)
    noise = effects.filtered(rng.standard_normal((1, len(time))), "highpass", rng.uniform(500, 3000))[0]
    return rng.uniform(0.2, 1) * tones * np.exp(-rng.uniform(15, 50) * time) + noise * np.exp(-decay * time)


def _clap(rng: np.random.Generator) -> np.ndarray:
    time, gap = _time(0.4), rng.uniform(0.008, 0.014)
    bursts = sum(np.exp(-200 * (time - late)) * (time >= late) for late in (0, gap, 2 * gap))
    envelope = bursts + np.exp(-rng.uniform(12, 35) * (time - 3 * gap)) * (time >= 3 * gap)
    noise = effects.filtered(rng.standard_normal((1, len(time))), "highpass", rng.uniform(500, 1200))
    return effects.filtered(noise, "lowpass", rng.uniform(2500, 8000))[0] * envelope


def _metal(rng: np.random.Generator, metal: float, cutoff: float, decay: float) -> np.ndarray:
    """Mix square waves at inharmonic frequencies with noise, and apply a high-pass filter."""
    time = _time(min(2.5, 6 / decay))
    squares = sum(np.sign(np.sin(2 * np.pi * hertz * time)) for hertz in rng.uniform(200, 900, 6)) / 6
    source = metal * squares + (1 - metal) * 0.5 * rng.standard_normal(len(time))
    return effects.filtered(source[None], "highpass", cutoff, 3)[0] * np.exp(-decay * time)


def _blip(rng: np.random.Generator, pitch: float, decay: float, noise: float) -> np.ndarray:
    """Synthesize a sine with slightly falling pitch and noise at its start: toms, congas, rim shots, cowbells."""
    time, fall = _time(5 / decay), rng.uniform(0, 0.6)
    turn = 2 * np.pi * pitch * (time + fall / 30 * (1 - np.exp(-30 * time)))
    tone = np.sin(turn) + rng.uniform(0, 0.5) * np.sin(turn * rng.uniform(1.4, 2.7))
    hiss = rng.standard_normal(len(time)) * np.exp(-150 * time)
    return tone * np.exp(-decay * time) + noise * hiss


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
