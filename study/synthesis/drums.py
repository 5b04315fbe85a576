"""Generate drums: a repeated bar with fills, played by one or two kits, single hits, drum machines or loops."""

import numpy as np

from study.synthesis import effects
from study.synthesis.composition import Plan, humanised, stretches
from study.synthesis.drum_machine import draw_machine
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note, Part, play
from study.synthesis.samples import draw_hits, draw_loop
from study.synthesis.soundfonts import draw_general_midi, draw_kit

# General MIDI's percussion.
KICK, SIDE, SNARE, CLAP, LOUD_SNARE, HAT, OPEN, CRASH = 36, 37, 38, 39, 40, 42, 46, 49
RIDE, TAMBOURINE, SHAKER = 51, 54, 70
TOMS = (41, 43, 45, 47, 48, 50)
CONGAS = (60, 61, 62, 63, 64)
KINDS = {
    KICK: "kick", SIDE: "side", SNARE: "snare", CLAP: "clap", LOUD_SNARE: "snare", HAT: "hat", OPEN: "open",
    CRASH: "crash", RIDE: "ride", TAMBOURINE: "percussion", SHAKER: "percussion",
    **dict.fromkeys(TOMS, "tom"), **dict.fromkeys(CONGAS, "percussion"),
}  # fmt: skip
# Gain in the mix of hits with a peak of 1, in dB.
LEVELS = {"hat": -12.0, "open": -12.0, "crash": -10.0, "ride": -13.0, "percussion": -9.0, "snare": -2.0, "side": -6.0}
PANNED = ("hat", "open", "crash", "ride", "tom", "percussion")
REVERBERANT = ("snare", "clap", "side", "tom", "percussion")


def make_drums(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Generate the drums of a song, (2, nb_samples) float32."""
    notes = _drum_notes(plan, rng)
    played = humanised(plan, notes, rng, float(rng.choice([0.0, 0.004, 0.008])))
    sound = _performed(plan, played, rng)
    if rng.random() < 0.3:
        other = _performed(plan, played if rng.random() < 0.7 else _drum_notes(plan, rng), rng)
        sound = sound + effects.scale_to(other, 20 * np.log10(effects.rms(sound) + 1e-9) - rng.uniform(0, 12))
    if rng.random() < 0.12 and (loop := _looped(plan, rng)) is not None:
        sound = loop + effects.scale_to(sound, -30) * (rng.random() < 0.6)
    if rng.random() < 0.6:
        sound = effects.peaked(sound, rng.uniform(45, 110), rng.uniform(-2, 8))
    if rng.random() < 0.6:
        sound = effects.compressed(sound, rng.uniform(8, 20), rng.uniform(2, 8))
    if rng.random() < 0.2:
        sound = effects.distorted(sound, rng.uniform(3, 15))
    return effects.room(effects.equalised(sound, rng, 3), rng, rng.uniform(0.2, 1.8), 0.5 * rng.beta(1, 3))


def _performed(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    """Play the notes with a kit of a sound font, a recorded kit, single recorded hits or a drum machine."""
    way = rng.random()
    if way < 0.25:
        kit = int(rng.choice([0, 0, 8, 16, 24, 25, 32, 40]))
        return play([Part(kit, notes, drums=True)], plan.tempo, plan.seconds, draw_general_midi(rng))
    if way < 0.4 and (font := draw_kit(rng)):
        return play([Part(0, notes)], plan.tempo, plan.seconds, font)
    if way < 0.75 and (hits := draw_hits(rng)):
        return _struck(plan, notes, hits, rng)
    return _struck(plan, notes, draw_machine(rng), rng)


def _struck(plan: Plan, notes: list[Note], hits: dict[str, list[np.ndarray]], rng: np.random.Generator) -> np.ndarray:
    """Play each note with a hit of its kind of drum. Snares and toms may get separate reverberation."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    dry, wet = np.zeros((2, nb_samples), np.float32), np.zeros((2, nb_samples), np.float32)
    levels = {kind: effects.decibels(LEVELS.get(kind, 0.0) + rng.normal(0, 3)) for kind in hits}
    places = {pitch: np.clip(rng.normal(0, 0.35), -0.9, 0.9) for pitch in KINDS}
    for note in notes:
        kind = KINDS.get(note.pitch)
        if kind not in hits:
            continue
        sound = hits[kind][rng.integers(len(hits[kind]))] * np.float32(levels[kind] * (note.velocity / 127) ** 1.5)
        if kind in PANNED:
            sound = effects.panned(sound.mean(0), places[note.pitch])
        start = int(note.start * 60 / plan.tempo * SAMPLE_RATE)
        out = wet if kind in REVERBERANT else dry
        out[:, start : start + sound.shape[1]] += sound[:, : max(0, nb_samples - start)]
    if rng.random() < 0.5:
        wet = effects.room(wet, rng, rng.uniform(0.2, 2.5), rng.uniform(0.05, 0.6))
    return dry + wet


def _looped(plan: Plan, rng: np.random.Generator) -> np.ndarray | None:
    """Repeat a recorded drum loop in some ranges of bars. Returns None if no loop is installed."""
    loop = draw_loop(rng, 60 / plan.tempo)
    if loop is None:
        return None
    out = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    bar = plan.beats_per_bar * 60 / plan.tempo * SAMPLE_RATE
    for first, end in stretches(plan, rng, 0.9):
        part = out[:, int(first * bar) : int(end * bar)]
        part += np.pad(loop, ((0, 0), (0, max(0, part.shape[1] - loop.shape[1]))), "wrap")[:, : part.shape[1]]
    return effects.scale_to(out, -20)


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
    """Return (beat, drum, velocity) of a bar: back beat, random kick drum, hi-hat or similar, and some percussion."""
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
