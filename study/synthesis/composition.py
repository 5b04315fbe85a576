"""Compose a song: the plan of tempo, metre, key and chords that all parts share, melodies, and humanized timing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}
PROGRESSIONS = (
    (0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 4, 3), (1, 4, 0, 0), (0, 3, 0, 4), (0, 6, 5, 4),
    (0, 2, 3, 4), (0, 5, 1, 4), (3, 4, 2, 5), (0, 0, 3, 0), (0, 6, 3, 0), (0, 5, 6, 3), (5, 4, 3, 4), (0, 0, 0, 0),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What all parts of a song share. `chords` has the scale degree of the root for each bar; 0 is the tonic."""

    tempo: float
    beats_per_bar: int
    key: int
    scale: Sequence[int]
    chords: Sequence[int]
    swing: float = 0.0
    melody: list[Note] = field(default_factory=list)

    @property
    def nb_beats(self) -> int:
        return len(self.chords) * self.beats_per_bar

    @property
    def seconds(self) -> float:
        return self.nb_beats * 60 / self.tempo

    def pitch(self, degree: int, octave: int) -> int:
        """Return the MIDI pitch of a degree of the scale, which may be outside 0 to 6."""
        return 12 * (octave + 1 + degree // 7) + self.key + self.scale[degree % 7]

    def chord_at(self, beat: float) -> int:
        return self.chords[min(int(beat / self.beats_per_bar), len(self.chords) - 1)]


def make_plan(rng: np.random.Generator, seconds: float) -> Plan:
    """Draw a random tempo, metre, key and chord progression for a song of about `seconds`."""
    tempo, beats = rng.uniform(62, 175), int(rng.choice([4, 4, 4, 4, 4, 3, 6]))
    nb_bars = max(4, round(seconds * tempo / 60 / beats))
    scale = SCALES[str(rng.choice(list(SCALES), p=(0.4, 0.32, 0.1, 0.1, 0.08)))]
    sections = [_progression(rng) for _ in range(2)]
    chords = [chord for index in range(nb_bars // 4 + 1) for chord in sections[index // 2 % 2]][:nb_bars]
    swing = float(rng.choice([0.0, 0.0, 0.0, 0.12, 0.16]))
    return Plan(tempo, beats, int(rng.integers(12)), scale, chords, swing)


def likeliest_key(sound: np.ndarray) -> tuple[int, Sequence[int]]:
    """Return the key and the scale whose tones have the most energy in a recording (nb_channels, nb_samples)."""
    hertz = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE)
    heard = (hertz > 60) & (hertz < 2000)
    tones = np.round(12 * np.log2(hertz[heard] / 440) + 69).astype(int) % 12
    strengths = np.bincount(tones, np.abs(np.fft.rfft(sound.mean(0)))[heard], 12)
    keys = [(key, scale) for key in range(12) for scale in SCALES.values()]
    return max(keys, key=lambda key: strengths[np.add(key[1], key[0]) % 12].sum())


def make_melody(plan: Plan, rng: np.random.Generator, octave: int, chance: float) -> list[Note]:
    """Return a melody: a random walk on the scale in `octave` and the next, whose long notes belong to the chord."""
    grid = float(rng.choice([0.25, 0.5, 0.5, 1.0]))
    notes, degree = [], int(rng.integers(0, 7))
    for first, end in stretches(plan, rng, chance):
        beat, last = float(first * plan.beats_per_bar), end * plan.beats_per_bar
        while beat < last - grid:
            length = grid * float(
                rng.choice([1, 1, 1, 2, 2, 3, 4, 8], p=(0.3, 0.15, 0.15, 0.15, 0.1, 0.05, 0.07, 0.03))
            )
            degree = int(np.clip(degree + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4]), -3, 10))
            if length > grid and rng.random() < 0.6:
                degree = _nearest(degree, plan.chord_at(beat))
            if rng.random() < 0.88:
                notes.append(Note(beat, min(length, last - beat) * 0.96, plan.pitch(degree, octave), 90))
            beat += length + (grid * int(rng.integers(1, 5)) if rng.random() < 0.12 else 0)
    return notes


def stretches(plan: Plan, rng: np.random.Generator, chance: float) -> list[tuple[int, int]]:
    """Return the ranges of bars (first, end) in which a part plays; at least one."""
    length = int(rng.choice([2, 4, 8]))
    all_stretches = [(bar, min(bar + length, len(plan.chords))) for bar in range(0, len(plan.chords), length)]
    chosen = [stretch for stretch in all_stretches if rng.random() < chance]
    return chosen or [all_stretches[rng.integers(len(all_stretches))]]


def humanised(plan: Plan, notes: list[Note], rng: np.random.Generator, tightness: float) -> list[Note]:
    """Apply swing, and random timing deviations with a standard deviation of `tightness` seconds."""
    late = rng.normal(0, tightness * plan.tempo / 60, len(notes))
    return [
        Note(
            max(0.0, note.start + (plan.swing if note.start % 1 == 0.5 else 0.0) + shift),
            note.length, note.pitch, note.velocity + int(rng.normal(0, 6)), note.bend,
        )
        for note, shift in zip(notes, late, strict=True)
    ]  # fmt: skip


def _progression(rng: np.random.Generator) -> Sequence[int]:
    if rng.random() < 0.2:
        return [int(degree) for degree in rng.integers(0, 7, 4)]
    return PROGRESSIONS[rng.integers(len(PROGRESSIONS))]


def _nearest(degree: int, root: int) -> int:
    """Return the degree of the triad on `root` that is nearest to `degree`."""
    tones = [root + third + 7 * octave for octave in (-2, -1, 0, 1) for third in (0, 2, 4)]
    return min(tones, key=lambda tone: abs(tone - degree))
