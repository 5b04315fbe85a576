"""Tones of the synthesizer for basses, with random settings.

Sources: J. Chowning, "The synthesis of complex audio spectra by means of frequency modulation", 1973; K. Karplus and
A. Strong, "Digital synthesis of plucked-string and drum timbres", 1983.
"""

from collections.abc import Callable

import numpy as np
from scipy import signal

from study.synthesis import effects
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.synthesizer import wave

Tone = Callable[[np.ndarray, np.ndarray], np.ndarray]  # MIDI pitch and time in s (nb_samples,) → sound


def draw_tone(rng: np.random.Generator) -> Tone:
    """Return a tone of a random kind."""
    return KINDS[rng.integers(len(KINDS))](rng)


def _subtractive(rng: np.random.Generator) -> Tone:
    """Return a tone of detuned saws or squares through a low-pass filter that closes from `top` to `rest` Hz."""
    shape, nb_voices, detune = int(rng.integers(2)), int(rng.choice([1, 1, 2, 3])), rng.uniform(0.02, 0.25)
    top, rest = (np.exp(rng.uniform(*np.log(limits))) for limits in ((300, 7000), (80, 1200)))
    fall = rng.uniform(2, 30)
    resonance = rng.uniform(0, 14) * (rng.random() < 0.4)
    order = int(rng.choice([1, 2]))

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        voices = [wave(pitch + detune * voice, rng.random(), shape) for voice in range(nb_voices)]
        raw = np.sum(voices, axis=0)[None] / nb_voices
        dark = effects.filtered(raw, "lowpass", rest, order)
        bright = effects.filtered(raw, "lowpass", max(top, rest), order)
        if resonance:
            bright = effects.peaked(bright, top, resonance, 3.0)
        return (dark + (bright - dark) * np.exp(-fall * time))[0]

    return make


def _frequency_modulated(rng: np.random.Generator) -> Tone:
    """Return a tone of two sines, one of which modulates the phase of the other (Chowning)."""
    ratio, index, rest, fall = (
        float(rng.choice([0.5, 1, 1, 2, 3, 1.5])),
        rng.uniform(0.5, 6),
        rng.uniform(0, 1),
        rng.uniform(1, 25),
    )

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        turn = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / SAMPLE_RATE
        return np.sin(turn + index * (rest + (1 - rest) * np.exp(-fall * time)) * np.sin(ratio * turn))

    return make


def _sub(rng: np.random.Generator) -> Tone:
    """Return a distorted sine, sometimes with a falling pitch at its start like that of a kick drum."""
    drive, fall, click = rng.uniform(0.3, 4), rng.uniform(0, 12) * (rng.random() < 0.5), rng.uniform(20, 60)
    asymmetry = rng.uniform(0, 0.4)

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        sine = wave(pitch + fall * np.exp(-click * time), 0.0, 2)
        return np.tanh(drive * (sine + asymmetry)) / np.tanh(drive)

    return make


def _plucked(rng: np.random.Generator) -> Tone:
    """Return a tone of a plucked string with a pickup at a random position (Karplus and Strong)."""
    decay, dullness, place = rng.uniform(0.5, 6), rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.45)
    brightness, tone = (np.exp(rng.uniform(*np.log(limits))) for limits in ((400, 8000), (80, 1500)))
    comb = rng.uniform(0.2, 0.9)

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        hertz = 440 * 2 ** ((float(np.mean(pitch)) - 69) / 12)
        period = max(2, round(SAMPLE_RATE / hertz - dullness))
        excitation = np.zeros(len(time))
        noise = effects.filtered(rng.uniform(-1, 1, (1, 2 * period)), "lowpass", brightness)[0]
        burst = noise[period:][: len(time)]
        excitation[: len(burst)] = burst
        keep = 10 ** (-3 / (decay * hertz))  # of each period, so that the string falls by 60 dB in `decay` seconds
        feedback = np.zeros(period + 2)
        feedback[0], feedback[period], feedback[period + 1] = 1, -keep * (1 - dullness), -keep * dullness
        string = signal.lfilter([1.0], feedback, excitation)
        delay = max(1, int(place * period))
        picked = string - comb * np.concatenate([np.zeros(delay), string[:-delay]])
        picked = effects.filtered(picked[None], "lowpass", tone, 1)[0]
        return np.asarray(picked / np.abs(picked).max(initial=1e-9))

    return make


def _pulse(rng: np.random.Generator) -> Tone:
    """Return a tone of two saws with a varying phase difference: a pulse of varying width, or two saws that beat."""
    rate, depth, second = rng.uniform(0.1, 6), rng.uniform(0.05, 0.45), rng.choice([-1.0, 1.0])
    cutoff, order = np.exp(rng.uniform(*np.log((200, 5000)))), int(rng.choice([1, 2, 4]))

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        drift = 12 * depth * rate / 440 * np.cos(2 * np.pi * rate * time)
        raw = wave(pitch, 0.0, 0) + second * wave(pitch + drift, rng.uniform(0.1, 0.9), 0)
        return effects.filtered(raw[None] / 2, "lowpass", cutoff, order)[0]

    return make


def _folded(rng: np.random.Generator) -> Tone:
    """Return a sine through a wavefolder whose drive decays."""
    first, rest, fall = rng.uniform(1, 8), rng.uniform(0.3, 3), rng.uniform(1, 20)

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        drive = rest + first * np.exp(-fall * time)
        return np.sin(np.pi / 2 * drive * wave(pitch, 0.0, 2))

    return make


def _acid(rng: np.random.Generator) -> Tone:
    """Return a saw or a square through a resonant low-pass filter with an envelope of random depth on each note."""
    shape, bottom, octaves = int(rng.integers(2)), rng.uniform(80, 400), rng.uniform(1, 5)
    fall, resonance, q = rng.uniform(3, 25), rng.uniform(8, 20), rng.uniform(2, 6)
    rising = rng.random() < 0.25

    def make(pitch: np.ndarray, time: np.ndarray) -> np.ndarray:
        raw = wave(pitch, rng.random(), shape)[None]
        height = octaves * rng.uniform(0.4, 1)
        opening = np.exp(-fall * time)
        place = 5 * height / octaves * (1 - opening if rising else opening)
        out = np.zeros_like(raw)
        for index, cutoff in enumerate(bottom * 2 ** (np.arange(6) * octaves / 5)):
            share = np.clip(1 - np.abs(place - index), 0, 1)
            out += share * effects.peaked(effects.filtered(raw, "lowpass", cutoff), cutoff, resonance, q)
        return np.tanh(out[0])

    return make


KINDS = (
    _subtractive, _subtractive, _frequency_modulated, _sub, _plucked, _plucked, _pulse, _folded, _acid, _acid,
)  # fmt: skip
