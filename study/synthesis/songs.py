"""Generate a song: choose voices and accompaniment, apply effects, mix and master."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from study.synthesis import effects, recordings
from study.synthesis.accompaniment import make_parts, make_rhythm_section
from study.synthesis.composition import Plan, likeliest_key, make_melody, make_plan
from study.synthesis.effects import SAMPLE_RATE
from study.synthesis.midi import Note
from study.synthesis.recordings import Recording
from study.synthesis.singing import as_spoken, as_sung, as_whispered, growled
from study.synthesis.voices import Speech, Voice, make_voice, similar, speak, utter

STYLES = ("plain", "belted", "breathy", "falsetto", "tuned", "growled", "distorted", "rap", "spoken", "whispered")
CHANCES = (0.24, 0.1, 0.08, 0.08, 0.1, 0.06, 0.04, 0.14, 0.14, 0.02)
NOT_SUNG = ("rap", "spoken", "whispered")
RECORDED = 0.35  # share of recorded accompaniments, if recordings are installed
WITH_RHYTHM = 0.7  # share of recordings without drums and bass that get synthesized ones
UNCHANGED = 0.2  # share of recorded voices that are used as recorded


@dataclass(frozen=True)
class Song:
    """Stems that add up to the mixture, each (2, nb_samples) float32. They and the mixture are within -1 and 1.

    They are vocals, drums, bass and other, or vocals and accompaniment if the stems of a recording are unknown.
    """

    stems: Mapping[str, np.ndarray]

    @property
    def vocals(self) -> np.ndarray:
        return self.stems["vocals"]

    @property
    def accompaniment(self) -> np.ndarray:
        return np.sum([stem for name, stem in self.stems.items() if name != "vocals"], axis=0)

    @property
    def mixture(self) -> np.ndarray:
        return self.vocals + self.accompaniment


def make_song(rng: np.random.Generator, seconds: float) -> Song:
    """Generate a song of about `seconds`. One in twelve has no vocals, one in sixteen only vocals. Raises OSError."""
    plan, voice = make_plan(rng, seconds), make_voice(rng)
    recorded = recordings.music(plan.seconds, rng) if rng.random() < RECORDED else None
    if recorded is not None:
        key, scale = likeliest_key(recorded.sound)
        plan = replace(plan, key=key, scale=scale)
    octave = int(np.ceil(np.log2(voice.low / 16.35) - 0.35))  # 16.35 Hz is C0
    plan = replace(plan, melody=make_melody(plan, rng, octave, 0.85))
    kind = rng.random()
    silence = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    parts = _make_parts(plan, recorded, rng)
    parts = dict.fromkeys(parts, silence) if kind < 1 / 16 else parts
    vocals = silence if kind > 11 / 12 else _make_vocals(plan, voice, rng)
    return _mastered(_balanced(vocals, parts, rng), rng)


def _make_parts(plan: Plan, recorded: Recording | None, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the parts of the accompaniment: synthesized, or recorded and possibly with synthesized drums and bass."""
    if recorded is None:
        return make_parts(plan, rng)
    if not recorded.pitched_only:
        return {"accompaniment": recorded.sound}
    if rng.random() < WITH_RHYTHM:
        return make_rhythm_section(plan, recorded.sound, rng)
    silence = np.zeros_like(recorded.sound)
    return {"drums": silence, "bass": silence, "other": recorded.sound}


# ---- voices


def _make_vocals(plan: Plan, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """Return the lead vocals in one or two styles with doubles and harmonies, or a choir, or recorded speech."""
    total = np.zeros((2, int(plan.seconds * SAMPLE_RATE)), np.float32)
    if voice.speaker in recordings.speakers() and rng.random() < UNCHANGED:
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
        if harmonies and style not in NOT_SUNG:
            _harmonise(backing, voice, notes, style, harmonies, plan, rng)
    level = 20 * np.log10(effects.rms(total) + 1e-9)
    return _treated(total, plan, rng) + effects.scale_to(_treated(backing, plan, rng), level - rng.uniform(2, 12))


def _styled(voice: Voice, style: str) -> Voice:
    """Return the voice with the parameters of a style."""
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
    """Return the speech parameters of a phrase in a style."""
    if style in NOT_SUNG:
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
    """Synthesize a phrase and add it to `total` at `beat`, panned to `place` from left (-1) to right (1)."""
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
    """Add the same phrase in a slightly different voice, with small deviations in pitch and time."""
    detuned = replace(speech, pitch=speech.pitch * 2 ** (rng.normal(0, 0.15) / 12))
    _add(total, detuned, similar(_styled(voice, style), rng), style, notes[0].start, plan, place, rng)


def _harmonise(
    total: np.ndarray, voice: Voice, notes: list[Note], style: str, nb_voices: int, plan: Plan, rng: np.random.Generator
) -> None:
    """Add the same phrase on other degrees of the scale, panned across the stereo image."""
    speech = speak(voice, len(notes), rng, 0.8)
    for steps, place in zip(
        rng.permutation([2, 4, -3, 7, -7])[:nb_voices], rng.uniform(-0.9, 0.9, nb_voices), strict=True
    ):
        singer = similar(_styled(voice, style), rng)
        sung = as_sung(singer, speech, [_moved(note, int(steps), plan) for note in notes], plan.tempo, rng)
        _add(total, sung, singer, style, notes[0].start, plan, float(place), rng)


def _moved(note: Note, steps: int, plan: Plan) -> Note:
    """Return the note transposed by `steps` degrees of the scale."""
    degree = min(range(-21, 63), key=lambda degree: abs(plan.pitch(degree, 2) - note.pitch))
    return replace(note, pitch=plan.pitch(degree + steps, 2))


def _choir(plan: Plan, voice: Voice, rng: np.random.Generator, total: np.ndarray) -> np.ndarray:
    """Return several singers in harmony with long reverberation."""
    steps = rng.choice([0, 0, 2, 4, -3, -7, 7], int(rng.integers(4, 8)))
    for notes in _phrases(plan.melody):
        speech = speak(voice, len(notes), rng, 0.7)
        for step in steps:
            singer = similar(voice, rng)
            sung = as_sung(singer, speech, [_moved(note, int(step), plan) for note in notes], plan.tempo, rng)
            _add(total, sung, singer, "plain", notes[0].start, plan, rng.uniform(-0.9, 0.9), rng)
    return effects.room(total, rng, rng.uniform(1.5, 5), rng.uniform(0.4, 1.5), 0.03)


def _as_recorded(voice: Voice, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Return unchanged recordings of a speaker, with pauses."""
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
    """Split the melody at its rests, and after twelve notes."""
    phrases: list[list[Note]] = []
    for note in melody:
        last = phrases[-1][-1] if phrases else None
        if last is None or note.start - last.start - last.length > 0.4 or len(phrases[-1]) == 12:
            phrases.append([])
        phrases[-1].append(note)
    return phrases


def _treated(sound: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Apply the effects of vocals in a mix: high-pass filter, equalizer, compressor, echo, reverberation."""
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


def _balanced(vocals: np.ndarray, parts: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Set the levels: the vocals are usually a few dB below the music, as in recorded songs."""
    below = np.clip(rng.normal(4, 5), -8, 16)
    loudness = effects.rms(np.sum(list(parts.values()), axis=0))
    gain = np.float32(effects.decibels(-20) / loudness) if loudness > 1e-7 else np.float32(1)
    return {"vocals": effects.scale_to(vocals, -20 - below)} | {name: part * gain for name, part in parts.items()}


def _mastered(parts: dict[str, np.ndarray], rng: np.random.Generator) -> Song:
    """Apply the gain of the mixture's compressor and limiter to all stems, so that they still add up to the mixture."""
    width = float(rng.choice([0.0, 1.0, 1.0, 1.0, 1.0, 1.5], p=(0.1, 0.2, 0.2, 0.2, 0.1, 0.2)))
    stems = np.stack([effects.widened(stem, width) for stem in parts.values()])
    if rng.random() < 0.5:
        stems *= effects.compressor_gain(stems.sum(0), rng.uniform(-24, -10), rng.uniform(1.5, 4))
    loud = effects.decibels(rng.uniform(0, 10))
    stems *= loud * effects.compressor_gain(loud * stems.sum(0), -1.0, 1000.0, 0.08)
    stems = _within_full_scale(stems)
    if rng.random() < 0.15:
        kilobits = int(rng.choice([96, 128, 128, 192]))
        stems = _within_full_scale(np.stack([effects.through_mp3(stem, kilobits) for stem in stems]))
    return Song(dict(zip(parts, stems.astype(np.float32), strict=True)))


def _within_full_scale(stems: np.ndarray) -> np.ndarray:
    """Scale down the stems (nb_stems, 2, nb_samples) if they, their sum or the accompaniment would clip."""
    peak = max(np.abs(sound).max() for sound in (stems, stems.sum(0), stems[1:].sum(0)))
    return stems * np.float32(0.98 / max(0.98, peak))
