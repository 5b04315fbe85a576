"""Accompaniments: chords, bass, drums, arpeggios and leads of a made-up song, played, treated and mixed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from study import effects
from study.effects import SAMPLE_RATE
from study.midi import Note, Part, play

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
KICK, SIDE, SNARE, CLAP, LOUD_SNARE, HAT, OPEN, CRASH, RIDE, TAMBOURINE, SHAKER = (
    36,
    37,
    38,
    39,
    40,
    42,
    46,
    49,
    51,
    54,
    70,
)
TOMS = (41, 43, 45, 47, 48, 50)
CONGAS = (60, 61, 62, 63, 64)


@dataclass(frozen=True)
class Plan:
    """What all parts of a song agree on. A chord is the scale's degree of its root, one a bar; 0 is the tonic."""

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
        """The MIDI pitch of a degree of the scale, which may lie outside 0 to 6."""
        return 12 * (octave + 1 + degree // 7) + self.key + self.scale[degree % 7]

    def chord_at(self, beat: float) -> int:
        return self.chords[min(int(beat / self.beats_per_bar), len(self.chords) - 1)]


def make_plan(rng: np.random.Generator, seconds: float) -> Plan:
    """A random tempo, metre, key and progression for a song of about `seconds`."""
    tempo, beats = rng.uniform(62, 175), int(rng.choice([4, 4, 4, 4, 4, 3, 6]))
    nb_bars = max(4, round(seconds * tempo / 60 / beats))
    scale = SCALES[str(rng.choice(list(SCALES), p=(0.4, 0.32, 0.1, 0.1, 0.08)))]
    sections = [_progression(rng) for _ in range(2)]
    chords = [chord for index in range(nb_bars // 4 + 1) for chord in sections[index // 2 % 2]][:nb_bars]
    swing = float(rng.choice([0.0, 0.0, 0.0, 0.12, 0.16]))
    return Plan(tempo, beats, int(rng.integers(12)), scale, chords, swing)


def make_accompaniment(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """All but the voice, (2, nb_samples) float32, at about -20 dB."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    sparse, pumping = rng.random() < 0.25, rng.random() < 0.2
    for make, chance, level, spread in _PARTS:
        if rng.random() < chance * (0.5 if sparse else 1.0):
            sound = make(plan, rng)
            if pumping and make is not _drums:
                sound = effects.pumped(sound, 60 / plan.tempo, rng.uniform(0.3, 0.9))
            total += effects.scale_to(sound, -22 + level + rng.normal(0, spread))
    if not total.any():
        total += effects.scale_to(_chords(plan, rng), -22)
    if rng.random() < 0.3:
        total = effects.distorted(total, rng.uniform(2, 12))
    return effects.scale_to(total, -20)


def _progression(rng: np.random.Generator) -> Sequence[int]:
    if rng.random() < 0.2:
        return [int(degree) for degree in rng.integers(0, 7, 4)]
    return PROGRESSIONS[rng.integers(len(PROGRESSIONS))]


def _sections(plan: Plan, rng: np.random.Generator, chance: float) -> list[tuple[int, int]]:
    """Stretches of bars (first, end) in which a part plays; at least one."""
    length = int(rng.choice([2, 4, 8]))
    all_stretches = [(bar, min(bar + length, len(plan.chords))) for bar in range(0, len(plan.chords), length)]
    chosen = [stretch for stretch in all_stretches if rng.random() < chance]
    return chosen or [all_stretches[rng.integers(len(all_stretches))]]


def _human(plan: Plan, notes: list[Note], rng: np.random.Generator, tightness: float) -> list[Note]:
    """The notes as a player would place them: swung, and off by some milliseconds unless `tightness` is 0."""
    late = rng.normal(0, tightness * plan.tempo / 60, len(notes))
    return [
        Note(
            max(0.0, note.start + (plan.swing if note.start % 1 == 0.5 else 0.0) + shift),
            note.length, note.pitch, note.velocity + int(rng.normal(0, 6)), note.bend,
        )
        for note, shift in zip(notes, late, strict=True)
    ]  # fmt: skip


def _drums(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """A kit that repeats a random bar, with fills; at times with the deep kicks and noises of a drum machine."""
    notes = _drum_notes(plan, rng)
    played = _human(plan, notes, rng, float(rng.choice([0.0, 0.004, 0.008])))
    kit = int(rng.choice([0, 0, 8, 16, 24, 25, 32, 40]))
    sound = play([Part(kit, played, drums=True)], plan.tempo, plan.seconds)
    if rng.random() < 0.4:
        sound = 0.6 * effects.scale_to(sound, -20) + effects.scale_to(_drum_machine(plan, notes, rng), -20)
    if rng.random() < 0.6:
        sound = effects.peaked(sound, rng.uniform(50, 90), rng.uniform(2, 8))
    if rng.random() < 0.6:
        sound = effects.compressed(sound, rng.uniform(8, 20), rng.uniform(2, 8))
    if rng.random() < 0.2:
        sound = effects.distorted(sound, rng.uniform(3, 15))
    return effects.room(effects.equalised(sound, rng, 3), rng, rng.uniform(0.2, 1.2), rng.uniform(0, 0.25))


def _drum_notes(plan: Plan, rng: np.random.Generator) -> list[Note]:
    grid = int(rng.choice([2, 4, 4]))
    bar_steps = _drum_bar(plan.beats_per_bar, grid, rng)
    notes = []
    for first, end in _sections(plan, rng, 0.85):
        notes.append(Note(first * plan.beats_per_bar, 2, CRASH, 105))
        for bar in range(first, end):
            fill_from = plan.beats_per_bar / 2 if bar == end - 1 and rng.random() < 0.6 else plan.beats_per_bar
            start = bar * plan.beats_per_bar
            notes += [Note(start + at, 0.2, pitch, velocity) for at, pitch, velocity in bar_steps if at < fill_from]
            fill = np.arange(fill_from, plan.beats_per_bar, 1 / grid)
            notes += [Note(start + at, 0.2, int(rng.choice((SNARE, *TOMS))), 100) for at in fill if rng.random() < 0.8]
    return notes


def _drum_bar(nb_beats: int, grid: int, rng: np.random.Generator) -> list[tuple[float, int, int]]:
    """(beat, drum, velocity) of a bar: the back beat, a random kick, a hat or the like, and some percussion."""
    steps = [step / grid for step in range(nb_beats * grid)]
    back_beat = (1, 3) if nb_beats == 4 else (nb_beats // 2 + nb_beats % 2,)
    if rng.random() < 0.2:
        back_beat = (2,)
    snare, time_keeper = (
        int(rng.choice([SNARE, SNARE, LOUD_SNARE, CLAP, SIDE])),
        int(rng.choice([HAT, HAT, RIDE, SHAKER, TAMBOURINE, OPEN])),
    )
    hits = [(float(beat), snare, 110) for beat in back_beat if beat < nb_beats]
    four_on_floor, kick_chance, busy = rng.random() < 0.3, rng.uniform(0.05, 0.35), rng.choice([0.3, 0.9, 1.0])
    for at in steps:
        on_beat = at % 1 == 0
        if at == 0 or (four_on_floor and on_beat) or (not four_on_floor and rng.random() < kick_chance):
            hits.append((at, KICK, 115))
        if rng.random() < busy:
            hits.append((at, time_keeper, 85 if on_beat else 60))
        if rng.random() < 0.06:
            hits.append((at, snare, 45))
    if rng.random() < 0.25:
        hits += [(at, int(rng.choice(CONGAS)), 80) for at in steps if rng.random() < 0.4]
    return hits


def _drum_machine(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    """Sine kicks that fall in pitch, and noise bursts, where the kit has its kicks, snares and hats."""
    time = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    deep, high, fall = rng.uniform(38, 60), rng.uniform(100, 400), rng.uniform(15, 50)
    kick = np.sin(2 * np.pi * (deep * time + high / fall * (1 - np.exp(-fall * time)))) * np.exp(
        -time * rng.uniform(5, 20)
    )
    snare = rng.standard_normal(len(time)) * np.exp(-time * rng.uniform(12, 40)) * 0.5
    hat = effects.filtered(rng.standard_normal((1, len(time))) * np.exp(-time * rng.uniform(30, 90)), "highpass", 7000)[
        0
    ]
    sounds = {KICK: kick, SNARE: snare, LOUD_SNARE: snare, CLAP: snare, HAT: 0.3 * hat}
    out = np.zeros(int(plan.seconds * SAMPLE_RATE) + len(time), np.float32)
    for note in notes:
        if note.pitch in sounds:
            start = int(note.start * 60 / plan.tempo * SAMPLE_RATE)
            out[start : start + len(time)] += (sounds[note.pitch] * note.velocity / 127)[: len(out) - start]
    return np.stack([out, out])[:, : int(plan.seconds * SAMPLE_RATE)]


def _bass(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Roots in a random rhythm, with fifths, octaves and steps between."""
    grid, octave = float(rng.choice([0.5, 0.5, 1.0, 0.25])), int(rng.choice([1, 1, 2]))
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.6]
    length, moving = grid * rng.uniform(0.5, 1.6), rng.random() * 0.5
    notes = []
    for first, end in _sections(plan, rng, 0.9):
        for bar in range(first, end):
            for at in rhythm:
                degree = plan.chords[bar] + (
                    int(rng.choice([0, 2, 4, 7, -1, 1])) if at and rng.random() < moving else 0
                )
                notes.append(Note(bar * plan.beats_per_bar + at, length, plan.pitch(degree, octave), 100))
    program = int(rng.choice(BASSES))
    sound = _performed(plan, _human(plan, notes, rng, 0.004), program, rng, synthetic=0.3)
    if rng.random() < 0.3:
        sound = effects.distorted(sound, rng.uniform(3, 18))
    return effects.widened(effects.compressed(effects.equalised(sound, rng, 3), rng.uniform(8, 20), 4), 0.2)


def _chord_notes(plan: Plan, rng: np.random.Generator, octave: int) -> list[Note]:
    """Chords held, strummed or broken into arpeggios."""
    way = rng.choice(["held", "strummed", "broken", "broken"])
    grid = float(rng.choice([0.25, 0.5, 0.5, 1.0]))
    size = _CHORDS[rng.integers(len(_CHORDS))]
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.7]
    inversion, notes = int(rng.integers(3)), []
    order = rng.permutation(len(size)) if rng.random() < 0.4 else np.arange(len(size))
    for first, end in _sections(plan, rng, 0.75):
        for bar in range(first, end):
            pitches = [
                plan.pitch(plan.chords[bar] + d + (7 if i < inversion else 0), octave) for i, d in enumerate(size)
            ]
            start = bar * plan.beats_per_bar
            if way == "held":
                notes += [Note(start, plan.beats_per_bar * 0.98, pitch, 75) for pitch in pitches]
            elif way == "strummed":
                notes += [
                    Note(start + at + 0.03 * i, grid * 1.2, p, 85) for at in rhythm for i, p in enumerate(pitches)
                ]
            else:
                steps = enumerate(np.arange(0, plan.beats_per_bar, grid))
                notes += [Note(start + at, grid * 1.8, pitches[order[i % len(order)]], 85) for i, at in steps]
    return _human(plan, notes, rng, 0.006)


def _chords(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """One or two of piano, organ, guitar, pad and plucked instruments."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    for _ in range(int(rng.choice([1, 2, 2, 3]))):
        family = (KEYS, KEYS, GUITARS, GUITARS, PADS, PLUCKED)[rng.integers(6)]
        sound = _performed(
            plan, _chord_notes(plan, rng, int(rng.choice([3, 3, 4, 5]))), int(rng.choice(family)), rng, synthetic=0.2
        )
        total += effects.scale_to(_placed(sound, plan, rng), rng.normal(-20, 3))
    return total


def _driven_guitars(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Power chords on one or both sides, distorted."""
    grid = float(rng.choice([0.5, 0.5, 1.0, 0.25]))
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < 0.75]
    notes, length = [], grid * rng.uniform(0.5, 1.1)
    for first, end in _sections(plan, rng, 0.7):
        for bar in range(first, end):
            pitches = [plan.pitch(plan.chords[bar] + degree, 2) for degree in (0, 4, 7)]
            notes += [Note(bar * plan.beats_per_bar + at, length, pitch, 100) for at in rhythm for pitch in pitches]
    program, sides = int(rng.choice(DRIVEN_GUITARS)), []
    for _ in range(2):
        dry = play([Part(program, _human(plan, notes, rng, 0.008))], plan.tempo, plan.seconds)
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
    return _placed(_performed(plan, _human(plan, notes, rng, 0.01), program, rng, synthetic=0.1), plan, rng)


def _noises(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """A filtered noise that swells: wind, risers, vinyl, an audience."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    swell = np.interp(np.arange(nb_samples), np.linspace(0, nb_samples, 12), rng.random(12) ** 3)
    noise = (rng.standard_normal((2, nb_samples)) * swell).astype(np.float32)
    return effects.filtered(
        effects.filtered(noise, "highpass", rng.uniform(50, 4000)), "lowpass", rng.uniform(2000, 16000)
    )


def make_melody(plan: Plan, rng: np.random.Generator, octave: int, chance: float) -> list[Note]:
    """Phrases of a random walk on the scale that comes to rest on the chord; one motif a song, varied."""
    grid = float(rng.choice([0.25, 0.5, 0.5, 1.0]))
    notes, degree = [], int(rng.integers(0, 7))
    for first, end in _sections(plan, rng, chance):
        beat, last = first * plan.beats_per_bar, end * plan.beats_per_bar
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


def _nearest(degree: int, root: int) -> int:
    """The degree of the triad on `root` that lies nearest to `degree`."""
    tones = [root + third + 7 * octave for octave in (-2, -1, 0, 1) for third in (0, 2, 4)]
    return min(tones, key=lambda tone: abs(tone - degree))


def _performed(
    plan: Plan, notes: list[Note], program: int, rng: np.random.Generator, synthetic: float, vibrato: int = 0
) -> np.ndarray:
    """The notes by an instrument of the sound font or, with the chance `synthetic`, by a synthesizer."""
    if rng.random() < synthetic:
        return _synthesizer(plan, notes, rng)
    return play([Part(program, notes, vibrato)], plan.tempo, plan.seconds)


def _synthesizer(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    """Detuned saws, squares or sines with a glide into each note and a filter that closes."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    out, wave = np.zeros((2, nb_samples), np.float32), int(rng.integers(3))
    detune, nb_voices = rng.uniform(0, 0.2), int(rng.choice([1, 2, 3]))
    attack, decay, cutoff = rng.choice([0.004, 0.01, 0.1]), rng.uniform(0.3, 6.0), rng.uniform(600, 9000)
    for note in notes:
        start, length = int(note.start * 60 / plan.tempo * SAMPLE_RATE), note.length * 60 / plan.tempo
        time = np.arange(int((length + 0.08) * SAMPLE_RATE)) / SAMPLE_RATE
        envelope = np.minimum(1, time / attack) * np.exp(-time / decay) * np.clip((length + 0.08 - time) / 0.08, 0, 1)
        for voice in range(nb_voices):
            pitch = note.pitch + detune * rng.normal() + note.bend * np.exp(-time / 0.08)
            sound = _wave(pitch, rng.random(), wave) * envelope * note.velocity / 127
            stereo = effects.panned(sound, 0.7 * (voice - (nb_voices - 1) / 2))
            out[:, start : start + len(time)] += stereo[:, : max(0, nb_samples - start)]
    return effects.filtered(out, "lowpass", cutoff)


def _wave(pitch: np.ndarray, phase: float, wave: int) -> np.ndarray:
    """A saw, a square or a sine at MIDI `pitch`; steps are smoothed over one sample ("PolyBLEP")."""
    step = 440 * 2 ** ((pitch - 69) / 12) / SAMPLE_RATE
    turn = (phase + np.cumsum(step)) % 1
    if wave == 2:
        return np.sin(2 * np.pi * turn)
    saw = 2 * turn - 1 - _blep(turn, step)
    if wave == 0:
        return saw
    half = (turn + 0.5) % 1
    return saw - (2 * half - 1 - _blep(half, step))


def _blep(turn: np.ndarray, step: np.ndarray) -> np.ndarray:
    """V. Välimäki and A. Huovilainen, "Antialiasing oscillators in subtractive synthesis", 2007."""
    after, before = np.clip(turn / step, 0, 1), np.clip((turn - 1) / step, -1, 0)
    return np.where(turn < 0.5, -((after - 1) ** 2), (before + 1) ** 2)


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


_CHORDS = ((0, 2, 4), (0, 2, 4), (0, 2, 4, 7), (0, 4, 7), (0, 2, 4, 6), (0, 3, 4), (0, 2, 4, 8), (0, 2))
# What a song may have: how often, how loud in dB beside the others, and by how much that varies.
_PARTS: tuple[tuple[Callable[[Plan, np.random.Generator], np.ndarray], float, float, float], ...] = (
    (_drums, 0.85, 2.0, 4.0),
    (_bass, 0.85, 2.0, 3.0),
    (_chords, 0.95, 0.0, 3.0),
    (_chords, 0.4, -2.0, 3.0),
    (_driven_guitars, 0.3, 0.0, 3.0),
    (_lead, 0.5, -1.0, 3.0),
    (_shadow, 0.3, -2.0, 3.0),
    (_noises, 0.1, -14.0, 4.0),
)
