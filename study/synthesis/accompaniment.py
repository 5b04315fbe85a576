"""Generate accompaniments: drums, bass and other (chords, guitars, leads), each with effects, then mixed."""

from collections.abc import Callable

import numpy as np

from study.synthesis import effects
from study.synthesis.bass import make_bass
from study.synthesis.composition import Plan, humanised, make_melody, stretches
from study.synthesis.drums import make_drums
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note, Part, play
from study.synthesis.soundfonts import draw_general_midi
from study.synthesis.synthesizer import synthesize_notes

PARTS = ("drums", "bass", "other")

# General MIDI programs, counted from 0. Choirs and "voice" sounds are left out, because vocals are the target.
KEYS = (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 19, 21)
GUITARS = (24, 25, 26, 27, 28)
DRIVEN_GUITARS = (29, 30)
PADS = (48, 49, 50, 51, 88, 89, 90, 92, 93, 94, 95, 61, 62, 63)
PLUCKED = (8, 9, 10, 12, 13, 45, 46, 104, 105, 106, 107, 108, 114)
LEADS = (
    22, 29, 30, 40, 41, 42, 56, 57, 59, 60, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 80, 81, 82, 84,
    109, 110, 111,
)  # fmt: skip
# Degrees of the scale above the root.
CHORDS = ((0, 2, 4), (0, 2, 4), (0, 2, 4, 7), (0, 4, 7), (0, 2, 4, 6), (0, 3, 4), (0, 2, 4, 8), (0, 2))


def make_parts(plan: Plan, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Generate drums, bass and other, each (2, nb_samples) float32; their sum is at about -20 dB."""
    parts = {name: np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32) for name in PARTS}
    sparse, pumping = rng.random() < 0.25, rng.random() < 0.2
    for name, make, chance, level, spread in INSTRUMENTS:
        if rng.random() < chance * (0.5 if sparse else 1.0):
            sound = make(plan, rng)
            if pumping and name != "drums":
                sound = effects.pumped(sound, 60 / plan.tempo, rng.uniform(0.3, 0.9))
            parts[name] += effects.scale_to(sound, -22 + level + rng.normal(0, spread))
    if not any(part.any() for part in parts.values()):
        parts["other"] += effects.scale_to(_chords(plan, rng), -22)
    return _together(parts, rng)


def make_rhythm_section(plan: Plan, other: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Generate drums and bass for recorded music that has neither. `other` is the recording, (2, nb_samples)."""
    drums, bass = make_drums(plan, rng), make_bass(plan, rng)
    if rng.random() < 0.25:
        drums *= 0
    elif rng.random() < 0.25:
        bass *= 0
    parts = {"drums": drums, "bass": bass, "other": other}
    return _together({name: effects.scale_to(sound, rng.normal(-20, 4)) for name, sound in parts.items()}, rng)


def _together(parts: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Apply a common gain to all parts, sometimes that of soft clipping, so that they still add up to the mix."""
    total = np.sum(list(parts.values()), axis=0)
    gain: np.ndarray | np.float32 = np.float32(effects.decibels(-20) / max(effects.rms(total), 1e-7))
    if rng.random() < 0.3:
        driven = total / np.abs(total).max(initial=1e-9) * effects.decibels(rng.uniform(2, 12))
        ratio = np.tanh(driven) / np.where(np.abs(driven) > 1e-6, driven, 1)
        clipping = np.where(np.abs(driven) > 1e-6, ratio, 1).astype(np.float32)
        gain = clipping * np.float32(effects.decibels(-20) / max(effects.rms(total * clipping), 1e-7))
    return {name: part * gain for name, part in parts.items()}


def _chords(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Play chords on one to three instruments: keyboards, guitars, pads and plucked instruments."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    for _ in range(int(rng.choice([1, 2, 2, 3]))):
        family = (KEYS, KEYS, GUITARS, GUITARS, PADS, PLUCKED)[rng.integers(6)]
        notes = _chord_notes(plan, rng, int(rng.choice([3, 3, 4, 5])))
        sound = _performed(plan, notes, int(rng.choice(family)), rng, synthetic=0.2)
        total += effects.scale_to(_placed(sound, plan, rng), rng.normal(-20, 3))
    return total


def _chord_notes(plan: Plan, rng: np.random.Generator, octave: int) -> list[Note]:
    """Return the notes of sustained, strummed or arpeggiated chords."""
    way = rng.choice(["held", "strummed", "broken", "broken"])
    grid = float(rng.choice([0.25, 0.5, 0.5, 1.0]))
    degrees = CHORDS[rng.integers(len(CHORDS))]
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.7]
    inversion, notes = int(rng.integers(3)), []
    order = rng.permutation(len(degrees)) if rng.random() < 0.4 else np.arange(len(degrees))
    for first, end in stretches(plan, rng, 0.75):
        for bar in range(first, end):
            raised = [degree + (7 if index < inversion else 0) for index, degree in enumerate(degrees)]
            pitches = [plan.pitch(plan.chords[bar] + degree, octave) for degree in raised]
            start = bar * plan.beats_per_bar
            if way == "held":
                notes += [Note(start, plan.beats_per_bar * 0.98, pitch, 75) for pitch in pitches]
            elif way == "strummed":
                strokes = [(at, *string) for at in rhythm for string in enumerate(pitches)]
                notes += [Note(start + at + 0.03 * i, grid * 1.2, pitch, 85) for at, i, pitch in strokes]
            else:
                steps = enumerate(np.arange(0, plan.beats_per_bar, grid))
                notes += [Note(start + at, grid * 1.8, pitches[order[i % len(order)]], 85) for i, at in steps]
    return humanised(plan, notes, rng, 0.006)


def _driven_guitars(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Play distorted power chords on both sides."""
    grid = float(rng.choice([0.5, 0.5, 1.0, 0.25]))
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.75]
    notes, length = [], grid * rng.uniform(0.5, 1.1)
    for first, end in stretches(plan, rng, 0.7):
        for bar in range(first, end):
            pitches = [plan.pitch(plan.chords[bar] + degree, 2) for degree in (0, 4, 7)]
            notes += [Note(bar * plan.beats_per_bar + at, length, pitch, 100) for at in rhythm for pitch in pitches]
    program, font, sides = int(rng.choice(DRIVEN_GUITARS)), draw_general_midi(rng), []
    for _ in range(2):
        dry = play([Part(program, humanised(plan, notes, rng, 0.008))], plan.tempo, plan.seconds, font)
        dry = effects.swept(dry, rng) if rng.random() < 0.25 else dry
        driven = effects.filtered(effects.distorted(dry, rng.uniform(10, 30)), "lowpass", rng.uniform(3500, 9000))
        sides.append(effects.equalised(driven, rng)[0])
    return effects.room(np.stack(sides), rng, rng.uniform(0.2, 1.5), rng.uniform(0, 0.2))


def _lead(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Play a melody with glides and vibrato on an instrument that is easily confused with a voice."""
    notes = make_melody(plan, rng, octave=int(rng.choice([3, 4, 4, 5])), chance=0.5)
    notes = [
        Note(n.start, n.length, n.pitch, 95, float(rng.choice([-2.0, -1.0, 1.0])) if rng.random() < 0.3 else 0.0)
        for n in notes
    ]
    program = int(rng.choice(LEADS))
    sound = _performed(plan, notes, program, rng, synthetic=0.25, vibrato=int(rng.choice([0, 30, 60, 100])))
    if program in DRIVEN_GUITARS or rng.random() < 0.15:
        sound = effects.distorted(sound, rng.uniform(6, 25))
    return _placed(sound, plan, rng)


def _shadow(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Play the melody of the vocals on an instrument, sometimes in another octave."""
    shift = 12 * int(rng.choice([-1, 0, 0, 1]))
    notes = [Note(n.start, n.length, n.pitch + shift, 80) for n in plan.melody or make_melody(plan, rng, 4, 0.5)]
    program = int(rng.choice(KEYS + GUITARS + PLUCKED + LEADS))
    return _placed(_performed(plan, humanised(plan, notes, rng, 0.01), program, rng, synthetic=0.1), plan, rng)


def _noises(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Generate filtered noise with a varying level, such as wind, risers, vinyl or an audience."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    swell = np.interp(np.arange(nb_samples), np.linspace(0, nb_samples, 12), rng.random(12) ** 3)
    noise = (rng.standard_normal((2, nb_samples)) * swell).astype(np.float32)
    noise = effects.filtered(noise, "highpass", rng.uniform(50, 4000))
    return effects.filtered(noise, "lowpass", rng.uniform(2000, 16000))


def _performed(
    plan: Plan, notes: list[Note], program: int, rng: np.random.Generator, synthetic: float, vibrato: int = 0
) -> np.ndarray:
    """Play the notes on an instrument of a sound font or, with the probability `synthetic`, on a synthesizer."""
    if rng.random() < synthetic:
        return synthesize_notes(plan, notes, rng)
    return play([Part(program, notes, vibrato)], plan.tempo, plan.seconds, draw_general_midi(rng))


def _placed(sound: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Equalize and pan an instrument, and add echo and reverberation."""
    sound = effects.equalised(sound, rng)
    if rng.random() < 0.2:
        sound = effects.swept(sound, rng)
    if rng.random() < 0.5:
        sound = effects.panned(sound.mean(0), rng.uniform(-0.9, 0.9))
    if rng.random() < 0.25:
        sound = effects.echo(sound, rng.choice([0.5, 0.75, 1.0]) * 60 / plan.tempo, 0.5, 0.3, rng.random() < 0.5)
    return effects.room(sound, rng, rng.uniform(0.3, 3.5), rng.uniform(0, 0.5))


# The stem, the function, the probability, the mean level in dB relative to the others, and its standard deviation.
INSTRUMENTS: tuple[tuple[str, Callable[[Plan, np.random.Generator], np.ndarray], float, float, float], ...] = (
    ("drums", make_drums, 0.85, 2.0, 4.0),
    ("bass", make_bass, 0.85, 2.0, 3.0),
    ("other", _chords, 0.95, 0.0, 3.0),
    ("other", _chords, 0.4, -2.0, 3.0),
    ("other", _driven_guitars, 0.3, 0.0, 3.0),
    ("other", _lead, 0.5, -1.0, 3.0),
    ("other", _shadow, 0.3, -2.0, 3.0),
    ("other", _noises, 0.1, -14.0, 4.0),
)
