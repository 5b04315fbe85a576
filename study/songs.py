"""One made-up song: who sings what over which music, how both are treated, and how they are mixed and mastered."""

from dataclasses import dataclass, replace

import numpy as np

from study import effects, recordings
from study.accompaniment import make_accompaniment
from study.effects import SAMPLE_RATE
from study.midi import Note
from study.music import Plan, likeliest_key, make_melody, make_plan
from study.voices import (
    Speech,
    Voice,
    as_spoken,
    as_sung,
    as_whispered,
    growled,
    make_voice,
    similar,
    speak,
    utter,
)

STYLES = ("plain", "belted", "breathy", "falsetto", "tuned", "growled", "distorted", "rap", "spoken", "whispered")
CHANCES = (0.24, 0.1, 0.08, 0.08, 0.1, 0.06, 0.04, 0.14, 0.14, 0.02)
UNSUNG = ("rap", "spoken", "whispered")
RECORDED = 0.35  # of the accompaniments, where recordings are installed
UNTOUCHED = 0.2  # of the recorded voices, left as they were recorded


@dataclass(frozen=True)
class Song:
    """The two stems, (2, nb_samples) float32 within -1 and 1; their sum is the mixture, and within these too."""

    vocals: np.ndarray
    accompaniment: np.ndarray


def make_song(rng: np.random.Generator, seconds: float) -> Song:
    """A song of about `seconds`; one in twelve has no voice, one in sixteen nothing else. Raises OSError."""
    plan, voice = make_plan(rng, seconds), make_voice(rng)
    recorded = recordings.music(plan.seconds, rng) if rng.random() < RECORDED else None
    if recorded is not None:
        key, scale = likeliest_key(recorded)
        plan = replace(plan, key=key, scale=scale)
    octave = int(np.ceil(np.log2(voice.low / 16.35) - 0.35))  # 16.35 Hz is C0
    plan = replace(plan, melody=make_melody(plan, rng, octave, 0.85))
    kind = rng.random()
    silence = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    accompaniment = recorded if recorded is not None else make_accompaniment(plan, rng)
    accompaniment = silence if kind < 1 / 16 else accompaniment
    vocals = silence if kind > 11 / 12 else _make_vocals(plan, voice, rng)
    return _mastered(*_balanced(vocals, accompaniment, rng), rng)


# ---- voices


def _make_vocals(plan: Plan, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """The lead in one or two styles, or a choir, with doubles and harmonies."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    if voice.speaker in recordings.speakers() and rng.random() < UNTOUCHED:
        return _treated(_as_recorded(voice, plan, rng), plan, rng)
    if rng.random() < 0.1:
        return _choir(plan, voice, rng, total)
    styles = [str(style) for style in rng.choice(STYLES, 2, p=CHANCES)]
    doubled, harmonies = rng.random() < 0.3, int(rng.choice([0, 0, 0, 1, 2, 3]))
    backing = total.copy()
    for index, notes in enumerate(_phrases(plan.melody)):
        style = styles[index // 4 % 2]
        speech = _performance(voice, notes, style, plan, rng)
        _add(total, speech, _styled(voice, style), style, notes[0].start, plan, 0.0, rng)
        if doubled:
            for place in (-0.7, 0.7):
                _double(backing, voice, notes, style, speech, plan, place, rng)
        if harmonies and style not in UNSUNG:
            _harmonise(backing, voice, notes, style, harmonies, plan, rng)
    level = 20 * np.log10(effects.rms(total) + 1e-9)
    return _treated(total, plan, rng) + effects.scale_to(_treated(backing, plan, rng), level - rng.uniform(2, 12))


def _styled(voice: Voice, style: str) -> Voice:
    """The voice as it sounds in a style."""
    if style == "belted":
        return replace(voice, tilt=voice.tilt + 3, ring=voice.ring + 4, breath=0.3 * voice.breath)
    if style == "breathy":
        return replace(voice, tilt=voice.tilt - 3, breath=min(1.0, voice.breath + 0.5))
    if style == "falsetto":
        return replace(voice, tilt=voice.tilt - 4, ring=0.0, formants=1.05 * voice.formants)
    if style == "tuned":
        return replace(voice, glide=0.006, vibrato=0.0, drift=0.0)
    return voice


def _performance(voice: Voice, notes: list[Note], style: str, plan: Plan, rng: np.random.Generator) -> Speech:
    """What a voice does with a phrase in a style."""
    if style in UNSUNG:
        seconds = (notes[-1].start + notes[-1].length - notes[0].start) * 60 / plan.tempo
        speed = rng.uniform(1.2, 1.7) if style == "rap" else rng.uniform(0.85, 1.2)
        speech = speak(voice, max(2, int(4.5 * speed * seconds)), rng, speed)
        spoken = as_spoken(voice, speech, rng.uniform(0.3, 1.5))
        return as_whispered(spoken) if style == "whispered" else spoken
    raised = [replace(note, pitch=note.pitch + 12) for note in notes] if style == "falsetto" else notes
    nb_syllables = max(1, round(len(notes) * (0.4 if rng.random() < 0.2 else 1.0)))
    return as_sung(_styled(voice, style), speak(voice, nb_syllables, rng, 0.8), raised, plan.tempo, rng)


def _add(
    total: np.ndarray, speech: Speech, voice: Voice, style: str, beat: float, plan: Plan, place: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add what is uttered, beginning at `beat`, at its place between left (-1) and right (1)."""
    sound = utter(voice, speech)
    if style == "growled":
        sound = growled(sound, speech.pitch, rng)
    if style == "distorted":
        sound = effects.distorted(sound[None], rng.uniform(6, 25))[0]
    start = max(0, int(beat * 60 / plan.tempo * SAMPLE_RATE + rng.normal(0, 0.02) * SAMPLE_RATE))
    room_left = total.shape[1] - start
    total[:, start : start + len(sound)] += effects.panned(sound, place)[:, : max(0, room_left)]


def _double(
    total: np.ndarray, voice: Voice, notes: list[Note], style: str, speech: Speech, plan: Plan, place: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """The same words once more, by a slightly different throat, slightly off in pitch and time."""
    detuned = replace(speech, pitch=speech.pitch * 2 ** (rng.normal(0, 0.15) / 12))
    _add(total, detuned, similar(_styled(voice, style), rng), style, notes[0].start, plan, place, rng)


def _harmonise(
    total: np.ndarray, voice: Voice, notes: list[Note], style: str, nb_voices: int, plan: Plan, rng: np.random.Generator
) -> None:
    """The same phrase on other tones of the scale, spread from left to right."""
    speech = speak(voice, len(notes), rng, 0.8)
    for steps, place in zip(
        rng.permutation([2, 4, -3, 7, -7])[:nb_voices], rng.uniform(-0.9, 0.9, nb_voices), strict=True
    ):
        singer = similar(_styled(voice, style), rng)
        sung = as_sung(singer, speech, [_moved(note, int(steps), plan) for note in notes], plan.tempo, rng)
        _add(total, sung, singer, style, notes[0].start, plan, float(place), rng)


def _moved(note: Note, steps: int, plan: Plan) -> Note:
    """The note `steps` of the scale higher."""
    degree = min(range(-21, 63), key=lambda degree: abs(plan.pitch(degree, 2) - note.pitch))
    return replace(note, pitch=plan.pitch(degree + steps, 2))


def _choir(plan: Plan, voice: Voice, rng: np.random.Generator, total: np.ndarray) -> np.ndarray:
    """Several singers in harmony in a large room."""
    steps = rng.choice([0, 0, 2, 4, -3, -7, 7], int(rng.integers(4, 8)))
    for notes in _phrases(plan.melody):
        speech = speak(voice, len(notes), rng, 0.7)
        for step in steps:
            singer = similar(voice, rng)
            sung = as_sung(singer, speech, [_moved(note, int(step), plan) for note in notes], plan.tempo, rng)
            _add(total, sung, singer, "plain", notes[0].start, plan, rng.uniform(-0.9, 0.9), rng)
    return effects.room(total, rng, rng.uniform(1.5, 5), rng.uniform(0.4, 1.5), 0.03)


def _as_recorded(voice: Voice, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """A speaker as recorded, some seconds at a time."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    start, place, rest, slope = 0, rng.uniform(-0.4, 0.4), rng.uniform(0.1, 2), rng.uniform(6, 18)
    while start < total.shape[1]:
        speech, band = recordings.spoken(voice.speaker, rng.uniform(1, 6), rng)
        sound = effects.panned(effects.extended(speech, band, slope), np.clip(place, -1, 1))[
            :, : total.shape[1] - start
        ]
        total[:, start : start + sound.shape[1]] += sound
        start += sound.shape[1] + int(rng.exponential(rest) * SAMPLE_RATE)
    return total


def _phrases(melody: list[Note]) -> list[list[Note]]:
    """The melody cut at its rests, and after twelve notes."""
    phrases: list[list[Note]] = []
    for note in melody:
        last = phrases[-1][-1] if phrases else None
        if last is None or note.start - last.start - last.length > 0.4 or len(phrases[-1]) == 12:
            phrases.append([])
        phrases[-1].append(note)
    return phrases


def _treated(sound: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """What is done to a voice in a mix: low cut, equalising, compression, echo, room."""
    sound = effects.equalised(effects.filtered(sound, "highpass", rng.uniform(25, 110)), rng, 2.5)
    if rng.random() < 0.8:
        sound = effects.compressed(sound, rng.uniform(8, 25), rng.uniform(2, 8))
    if rng.random() < 0.3:
        sound = effects.distorted(sound, rng.uniform(2, 12))
    if rng.random() < 0.3:
        beats = float(rng.choice([0.25, 0.5, 0.75, 1.0]))
        sound = effects.echo(
            sound, beats * 60 / plan.tempo, rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.4), rng.random() < 0.5
        )
    if rng.random() < 0.85:
        sound = effects.room(sound, rng, rng.uniform(0.2, 3.5), 0.6 * rng.beta(1.2, 2.5), rng.uniform(0, 0.08))
    return sound


# ---- mix and master


def _balanced(vocals: np.ndarray, accompaniment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The voice mostly some dB below the music, as in recorded songs."""
    below = np.clip(rng.normal(4, 5), -8, 16)
    return effects.scale_to(vocals, -20 - below), effects.scale_to(accompaniment, -20)


def _mastered(vocals: np.ndarray, accompaniment: np.ndarray, rng: np.random.Generator) -> Song:
    """Both stems under the gain that the mixture's compressor and limiter ask for, so that they stay its true parts."""
    width = float(rng.choice([0.0, 1.0, 1.0, 1.0, 1.0, 1.5], p=(0.1, 0.2, 0.2, 0.2, 0.1, 0.2)))
    stems = np.stack([effects.widened(stem, width) for stem in (vocals, accompaniment)])
    if rng.random() < 0.5:
        stems *= effects.compressor_gain(stems.sum(0), rng.uniform(-24, -10), rng.uniform(1.5, 4))
    loud = effects.decibels(rng.uniform(0, 10))
    stems *= loud * effects.compressor_gain(loud * stems.sum(0), -1.0, 1000.0, 0.08)
    stems *= 0.98 / max(0.98, np.abs(stems).max(), np.abs(stems.sum(0)).max())
    if rng.random() < 0.15:
        stems = np.stack([effects.through_mp3(stem, int(rng.choice([96, 128, 128, 192]))) for stem in stems])
        stems *= 0.98 / max(0.98, np.abs(stems).max(), np.abs(stems.sum(0)).max())
    return Song(*stems.astype(np.float32))
