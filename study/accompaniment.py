"""Accompaniments: bass, chords, guitars and leads around the drums, each treated and placed, then mixed."""

from collections.abc import Callable

import numpy as np

from study import effects
from study.drums import make_drums
from study.effects import SAMPLE_RATE
from study.midi import Note, Part, play
from study.music import Plan, humanised, make_melody, stretches
from study.synthesizer import synthesize_notes

# General MIDI programs, counted from 0. Choirs and "voice" sounds are left out: a voice is what is to be found.
KEYS = (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 19, 21)
GUITARS = (24, 25, 26, 27, 28)
DRIVEN_GUITARS = (29, 30)
PADS = (48, 49, 50, 51, 88, 89, 90, 92, 93, 94, 95, 61, 62, 63)
PLUCKED = (8, 9, 10, 12, 13, 45, 46, 104, 105, 106, 107, 108, 114)
BASSES = (32, 33, 34, 35, 36, 37, 38, 39)
LEADS = (
    22, 29, 30, 40, 41, 42, 56, 57, 59, 60, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 80, 81, 82, 84,
    109, 110, 111,
)  # fmt: skip
# Degrees of the scale above the root.
CHORDS = ((0, 2, 4), (0, 2, 4), (0, 2, 4, 7), (0, 4, 7), (0, 2, 4, 6), (0, 3, 4), (0, 2, 4, 8), (0, 2))


def make_accompaniment(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """All but the voice, (2, nb_samples) float32, at about -20 dB."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    sparse, pumping = rng.random() < 0.25, rng.random() < 0.2
    for make, chance, level, spread in PARTS:
        if rng.random() < chance * (0.5 if sparse else 1.0):
            sound = make(plan, rng)
            if pumping and make is not make_drums:
                sound = effects.pumped(sound, 60 / plan.tempo, rng.uniform(0.3, 0.9))
            total += effects.scale_to(sound, -22 + level + rng.normal(0, spread))
    if not total.any():
        total += effects.scale_to(_chords(plan, rng), -22)
    if rng.random() < 0.3:
        total = effects.distorted(total, rng.uniform(2, 12))
    return effects.scale_to(total, -20)


def _bass(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Roots in a random rhythm, with fifths, octaves and steps between."""
    grid, octave = float(rng.choice([0.5, 0.5, 1.0, 0.25])), int(rng.choice([1, 1, 2]))
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.6]
    length, moving = grid * rng.uniform(0.5, 1.6), rng.random() * 0.5
    notes = []
    for first, end in stretches(plan, rng, 0.9):
        for bar in range(first, end):
            for at in rhythm:
                step = int(rng.choice([0, 2, 4, 7, -1, 1])) if at and rng.random() < moving else 0
                degree = plan.chords[bar] + step
                notes.append(Note(bar * plan.beats_per_bar + at, length, plan.pitch(degree, octave), 100))
    program = int(rng.choice(BASSES))
    sound = _performed(plan, humanised(plan, notes, rng, 0.004), program, rng, synthetic=0.3)
    if rng.random() < 0.3:
        sound = effects.distorted(sound, rng.uniform(3, 18))
    return effects.widened(effects.compressed(effects.equalised(sound, rng, 3), rng.uniform(8, 20), 4), 0.2)


def _chords(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """One to three of piano, organ, guitar, pad and plucked instruments."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    for _ in range(int(rng.choice([1, 2, 2, 3]))):
        family = (KEYS, KEYS, GUITARS, GUITARS, PADS, PLUCKED)[rng.integers(6)]
        notes = _chord_notes(plan, rng, int(rng.choice([3, 3, 4, 5])))
        sound = _performed(plan, notes, int(rng.choice(family)), rng, synthetic=0.2)
        total += effects.scale_to(_placed(sound, plan, rng), rng.normal(-20, 3))
    return total


def _chord_notes(plan: Plan, rng: np.random.Generator, octave: int) -> list[Note]:
    """Chords held, strummed or broken into arpeggios."""
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
    """Power chords on one or both sides, distorted."""
    grid = float(rng.choice([0.5, 0.5, 1.0, 0.25]))
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.75]
    notes, length = [], grid * rng.uniform(0.5, 1.1)
    for first, end in stretches(plan, rng, 0.7):
        for bar in range(first, end):
            pitches = [plan.pitch(plan.chords[bar] + degree, 2) for degree in (0, 4, 7)]
            notes += [Note(bar * plan.beats_per_bar + at, length, pitch, 100) for at in rhythm for pitch in pitches]
    program, sides = int(rng.choice(DRIVEN_GUITARS)), []
    for _ in range(2):
        dry = play([Part(program, humanised(plan, notes, rng, 0.008))], plan.tempo, plan.seconds)
        dry = effects.swept(dry, rng) if rng.random() < 0.25 else dry
        driven = effects.filtered(effects.distorted(dry, rng.uniform(10, 30)), "lowpass", rng.uniform(3500, 9000))
        sides.append(effects.equalised(driven, rng)[0])
    return effects.room(np.stack(sides), rng, rng.uniform(0.2, 1.5), rng.uniform(0, 0.2))


def _lead(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """A melody with glides and vibrato on what is easily taken for a voice."""
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
    """The singer's melody on a piano, a guitar or the like, now and then in another octave."""
    shift = 12 * int(rng.choice([-1, 0, 0, 1]))
    notes = [Note(n.start, n.length, n.pitch + shift, 80) for n in plan.melody or make_melody(plan, rng, 4, 0.5)]
    program = int(rng.choice(KEYS + GUITARS + PLUCKED + LEADS))
    return _placed(_performed(plan, humanised(plan, notes, rng, 0.01), program, rng, synthetic=0.1), plan, rng)


def _noises(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """A filtered noise that swells: wind, risers, vinyl, an audience."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    swell = np.interp(np.arange(nb_samples), np.linspace(0, nb_samples, 12), rng.random(12) ** 3)
    noise = (rng.standard_normal((2, nb_samples)) * swell).astype(np.float32)
    noise = effects.filtered(noise, "highpass", rng.uniform(50, 4000))
    return effects.filtered(noise, "lowpass", rng.uniform(2000, 16000))


def _performed(
    plan: Plan, notes: list[Note], program: int, rng: np.random.Generator, synthetic: float, vibrato: int = 0
) -> np.ndarray:
    """The notes by an instrument of the sound font or, with the chance `synthetic`, by a synthesizer."""
    if rng.random() < synthetic:
        return synthesize_notes(plan, notes, rng)
    return play([Part(program, notes, vibrato)], plan.tempo, plan.seconds)


def _placed(sound: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """An instrument at its place in the room: equalised, panned, with echo and reverberation."""
    sound = effects.equalised(sound, rng)
    if rng.random() < 0.2:
        sound = effects.swept(sound, rng)
    if rng.random() < 0.5:
        sound = effects.panned(sound.mean(0), rng.uniform(-0.9, 0.9))
    if rng.random() < 0.25:
        sound = effects.echo(sound, rng.choice([0.5, 0.75, 1.0]) * 60 / plan.tempo, 0.5, 0.3, rng.random() < 0.5)
    return effects.room(sound, rng, rng.uniform(0.3, 3.5), rng.uniform(0, 0.5))


# What a song may have: how often, how loud in dB beside the others, and by how much that varies.
PARTS: tuple[tuple[Callable[[Plan, np.random.Generator], np.ndarray], float, float, float], ...] = (
    (make_drums, 0.85, 2.0, 4.0),
    (_bass, 0.85, 2.0, 3.0),
    (_chords, 0.95, 0.0, 3.0),
    (_chords, 0.4, -2.0, 3.0),
    (_driven_guitars, 0.3, 0.0, 3.0),
    (_lead, 0.5, -1.0, 3.0),
    (_shadow, 0.3, -2.0, 3.0),
    (_noises, 0.1, -14.0, 4.0),
)
