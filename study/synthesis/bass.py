"""Generate bass lines over the chords, played by sound fonts, by synthesizers, or with recorded notes."""

import numpy as np

from study.synthesis import effects
from study.synthesis.bass_tones import draw_tone
from study.synthesis.composition import Plan, humanised, stretches
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note, Part, play
from study.synthesis.samples import draw_bass
from study.synthesis.soundfonts import draw_general_midi
from study.synthesis.synthesizer import wave

PROGRAMS = (32, 33, 34, 35, 36, 37, 38, 39)  # General MIDI's basses, counted from 0
LOWEST = 28  # the low E of a bass guitar, as a MIDI pitch
LOW_INSTRUMENTS = (43, 58, 87, 70)  # contrabass, tuba, bass and lead, bassoon


def make_bass(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Generate the bass of a song, (2, nb_samples) float32."""
    notes = humanised(plan, _line(plan, rng), rng, float(rng.choice([0.0, 0.004, 0.008])))
    sound = _performed(plan, notes, rng)
    if rng.random() < 0.15:
        level = 20 * np.log10(effects.rms(sound) + 1e-9) - rng.uniform(0, 10)
        sound = sound + effects.scale_to(_performed(plan, notes, rng), level)
    if rng.random() < 0.5:
        driven = effects.distorted(sound, rng.uniform(3, 30))
        driven = effects.filtered(driven, "lowpass", rng.uniform(1500, 8000))
        share = rng.uniform(0.3, 1.0)
        sound = share * driven + (1 - share) * sound
    if rng.random() < 0.5:  # the mid frequencies that make a bass audible on small loudspeakers
        sound = effects.peaked(sound, np.exp(rng.uniform(*np.log((200, 1200)))), rng.uniform(3, 15), 0.6)
    if rng.random() < 0.2:
        sound = effects.chorused(sound, rng)
    if rng.random() < 0.15:
        sound = effects.filtered(sound, "lowpass", rng.uniform(250, 2000))
    if rng.random() < 0.3:
        sound = effects.filtered(sound, "highpass", rng.uniform(40, 150))
    if rng.random() < 0.7:
        sound = effects.compressed(sound, rng.uniform(8, 20), rng.uniform(2, 8))
    if rng.random() < 0.15:
        sound = effects.room(sound, rng, rng.uniform(0.2, 1.5), rng.uniform(0.02, 0.2))
    return effects.widened(effects.equalised(sound, rng, 3.5), float(rng.choice([0.0, 0.2, 0.2, 1.0])))


def _line(plan: Plan, rng: np.random.Generator) -> list[Note]:
    """Return the roots of the chords in a random rhythm, with fifths, octaves and steps between them."""
    grid, octave = float(rng.choice([0.25, 0.5, 0.5, 0.5, 1.0, 2.0])), int(rng.choice([1, 1, 2]))
    density = rng.choice([0.35, 0.6, 1.0])
    rhythm = [step * grid for step in range(int(plan.beats_per_bar / grid)) if step == 0 or rng.random() < density]
    sustained, length = rng.random() < 0.35, grid * rng.uniform(0.4, 1.2)
    ends = [*rhythm[1:], float(plan.beats_per_bar)]
    moving = 0.0 if rng.random() < 0.35 else rng.random()
    steps = rng.choice([-7, -1, 1, 2, 3, 4, 7, 7, 8], 4)
    glide = rng.random() < 0.15
    notes = []
    for first, end in stretches(plan, rng, 0.9):
        for bar in range(first, end):
            for at, next_at in zip(rhythm, ends, strict=True):
                step = int(steps[rng.integers(len(steps))]) if at and rng.random() < moving else 0
                pitch = plan.pitch(plan.chords[bar] + step, octave)
                pitch += 12 * (pitch < LOWEST)
                bend = float(rng.choice([-2.0, 2.0])) if glide and rng.random() < 0.4 else 0.0
                lasts = 0.97 * (next_at - at) if sustained else length
                notes.append(Note(bar * plan.beats_per_bar + at, lasts, pitch, int(rng.integers(85, 118)), bend))
    return notes


def _performed(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    way = rng.random()
    if way < 0.4:
        program = int(rng.choice(PROGRAMS if rng.random() < 0.9 else LOW_INSTRUMENTS))
        return play([Part(program, notes)], plan.tempo, plan.seconds, draw_general_midi(rng))
    if way < 0.5 and (note := draw_bass(rng)) is not None:
        return _sampled(plan, notes, note)
    sound = _synthesized(plan, notes, rng)
    return _swept(sound, plan, rng) if rng.random() < 0.5 else sound


def _swept(sound: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Apply a resonant low-pass filter whose cutoff moves with the beat, between about 150 Hz and 4 kHz."""
    cutoffs = np.geomspace(rng.uniform(100, 250), rng.uniform(800, 4000), 7)
    beats = np.arange(sound.shape[1]) / SAMPLE_RATE * plan.tempo / 60
    turn = (beats / float(rng.choice([0.5, 1, 2, 4, 4, 8])) + rng.random()) % 1
    shape = (turn, 1 - turn, 1 - np.abs(2 * turn - 1), 0.5 + 0.5 * np.sin(2 * np.pi * turn))[rng.integers(4)]
    place, resonance, q = shape * (len(cutoffs) - 1), rng.uniform(6, 18), rng.uniform(2, 5)
    out = np.zeros_like(sound)
    for index, cutoff in enumerate(cutoffs):
        share = np.clip(1 - np.abs(place - index), 0, 1).astype(np.float32)
        out += share * effects.peaked(effects.filtered(sound, "lowpass", cutoff), cutoff, resonance, q)
    return out


def _sampled(plan: Plan, notes: list[Note], sample: np.ndarray) -> np.ndarray:
    """Play the notes with one recorded note, resampled by at most one and a half octaves."""
    nb_samples = int(plan.seconds * SAMPLE_RATE)
    out, home = np.zeros((2, nb_samples), np.float32), 12 * round(np.mean([note.pitch for note in notes]) / 12)
    for note in notes:
        speed = 2 ** (np.clip(note.pitch - home, -18, 18) / 12)
        seconds = note.length * 60 / plan.tempo + 0.03
        positions = np.arange(min(int(seconds * SAMPLE_RATE), int((sample.shape[1] - 1) / speed))) * speed
        sound = np.stack([np.interp(positions, np.arange(sample.shape[1]), channel) for channel in sample])
        fade = np.clip((len(positions) - np.arange(len(positions))) / 1300, 0, 1)
        _place(out, sound * fade * note.velocity / 127, note, plan)
    return out


def _synthesized(plan: Plan, notes: list[Note], rng: np.random.Generator) -> np.ndarray:
    """Play the notes with a synthesizer, sometimes with a sine an octave below."""
    out = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    make = draw_tone(rng)
    attack = float(rng.choice([0.002, 0.005, 0.02]))
    decay = float(np.exp(rng.uniform(np.log(0.15), np.log(8))))
    sub, release = rng.choice([0.0, 0.0, 0.5, 1.0]), rng.uniform(0.01, 0.12)
    for note in notes:
        length = note.length * 60 / plan.tempo
        time = np.arange(int((length + release) * SAMPLE_RATE)) / SAMPLE_RATE
        pitch = note.pitch + note.bend * np.exp(-time / 0.06)
        envelope = (
            np.minimum(1, time / attack) * np.exp(-time / decay) * np.clip((length + release - time) / release, 0, 1)
        )
        sound = make(pitch, time) + sub * wave(pitch - 12 * (note.pitch > 40), 0.0, 2)
        _place(out, (sound * envelope * note.velocity / 127)[None], note, plan)
    return out


def _place(out: np.ndarray, sound: np.ndarray, note: Note, plan: Plan) -> None:
    """Add the sound (1 or 2, nb_samples) to `out` where the note begins."""
    start = int(note.start * 60 / plan.tempo * SAMPLE_RATE)
    out[:, start : start + sound.shape[1]] += sound[:, : max(0, out.shape[1] - start)].astype(np.float32)
