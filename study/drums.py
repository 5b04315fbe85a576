"""Drums: a bar that repeats, with fills, played by a kit or by a drum machine, or by both."""

import numpy as np

from study import effects
from study.effects import SAMPLE_RATE
from study.midi import Note, Part, play
from study.music import Plan, humanised, stretches

# General MIDI's percussion.
KICK, SIDE, SNARE, CLAP, LOUD_SNARE, HAT, OPEN, CRASH = 36, 37, 38, 39, 40, 42, 46, 49
RIDE, TAMBOURINE, SHAKER = 51, 54, 70
TOMS = (41, 43, 45, 47, 48, 50)
CONGAS = (60, 61, 62, 63, 64)


def make_drums(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The drums of a song, (2, nb_samples) float32."""
    notes = _drum_notes(plan, rng)
    played = humanised(plan, notes, rng, float(rng.choice([0.0, 0.004, 0.008])))
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
    for first, end in stretches(plan, rng, 0.85):
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
    snare = int(rng.choice([SNARE, SNARE, LOUD_SNARE, CLAP, SIDE]))
    time_keeper = int(rng.choice([HAT, HAT, RIDE, SHAKER, TAMBOURINE, OPEN]))
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
    kick = np.sin(2 * np.pi * (deep * time + high / fall * (1 - np.exp(-fall * time))))
    kick *= np.exp(-time * rng.uniform(5, 20))
    snare = rng.standard_normal(len(time)) * np.exp(-time * rng.uniform(12, 40)) * 0.5
    hiss = rng.standard_normal((1, len(time))) * np.exp(-time * rng.uniform(30, 90))
    hat = effects.filtered(hiss, "highpass", 7000)[0]
    sounds = {KICK: kick, SNARE: snare, LOUD_SNARE: snare, CLAP: snare, HAT: 0.3 * hat}
    out = np.zeros(int(plan.seconds * SAMPLE_RATE) + len(time), np.float32)
    for note in notes:
        if note.pitch in sounds:
            start = int(note.start * 60 / plan.tempo * SAMPLE_RATE)
            out[start : start + len(time)] += (sounds[note.pitch] * note.velocity / 127)[: len(out) - start]
    return np.stack([out, out])[:, : int(plan.seconds * SAMPLE_RATE)]
