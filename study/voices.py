"""Voices: espeak-ng and flite speak, WORLD takes the speech apart (pitch, spectrum, breath) and puts it together again
as singing, rap, whisper or speech.

M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016. The analysis has a frame every
FRAME_PERIOD; a spectrum is (nb_frames, nb_bins) of power.
"""

import subprocess
import tempfile
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyworld
import soundfile

from study import effects, recordings
from study.effects import SAMPLE_RATE
from study.midi import Note

FRAME_PERIOD = 0.005  # seconds
NB_BINS = 1025  # of WORLD's spectra at SAMPLE_RATE
PRESENCE = slice(110, 190)  # bins, 2.4 to 4.1 kHz
SILENCE = 1e-14
LEGATO = 0.15  # seconds between two notes that a voice sings through
RELEASE = 12  # frames in which a voice comes and goes
LANGUAGES = (
    "en-us", "en-gb", "de", "fr-fr", "es", "it", "pt-br", "sv", "pl", "nl", "fi", "tr", "cs", "el", "ro", "hu",
    "id", "ja",
)  # fmt: skip
VARIANTS = (
    "", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+m8", "+klatt", "+klatt2",
    "+klatt3", "+klatt4", "+Alex", "+Alicia", "+Andrea", "+Andy", "+Annie", "+Denis", "+Diogo", "+Gene", "+Hugo",
    "+Jacky", "+Lee", "+Marco", "+Mario", "+Michael", "+Mike", "+Nguyen", "+Storm", "+adam", "+anika", "+antonio",
    "+aunty", "+belinda", "+benjamin", "+boris", "+caleb", "+david", "+edward", "+gustave", "+iven", "+john", "+linda",
    "+marcelo", "+max", "+miguel", "+pablo", "+paul", "+pedro", "+rob", "+robert", "+sandro", "+shelby", "+steph",
    "+travis", "+victor", "+zac",
)  # fmt: skip
FLITE_VOICES = ("slt", "rms", "awb", "kal16")
RECORDED = 0.6  # of the voices, where recordings are installed
SYLLABLE = 0.2  # seconds of recorded speech, about
ONSETS = ("", "", *"bdfghklmnprstvwy", "sh", "ch", "st", "tr", "bl", "fl", "sl")
VOWELS = ("a", "e", "i", "o", "u", "oo", "ee", "ai", "ow", "oh", "ah")
CODAS = ("", "", "", "", "n", "m", "l", "r", "s", "t", "d", "ng", "k", "v", "st")
LYRICS = (
    "you I me we love the night is long and all my heart will never let it go away tonight come back to this world "
    "again hold on baby when she said that nothing ever feels like home under a cold moon dancing in fire light run "
    "through rain don't stop believe yes no maybe time after waiting for summer shining over water dream sky high"
)


@dataclass(frozen=True)
class Voice:
    """Who sings: how, where the register lies, and what the throat is like."""

    speaker: str
    low: float  # Hz, about the lowest note of a melody
    formants: float  # by which the formants are raised
    tilt: float  # dB an octave above 1 kHz
    breath: float  # 0 to 1
    vibrato: float  # semitones
    vibrato_rate: float  # Hz
    glide: float  # seconds from note to note
    drift: float  # semitones
    ring: float  # dB at the singer's formant
    chest: float  # dB below 200 Hz; a deep voice close to its microphone has most of its power there
    brightness: float  # dB an octave above 4 kHz, where speech programs have little


@dataclass(frozen=True)
class Speech:
    """What WORLD finds in a stretch of speech: pitch (nb_frames,) in Hz, 0 where unvoiced; power and aperiodicity;
    above `band` Hz it says nothing."""

    pitch: np.ndarray
    spectrum: np.ndarray
    aperiodicity: np.ndarray
    band: float


def make_voice(rng: np.random.Generator) -> Voice:
    """A random singer, bass to child."""
    low, formants = (
        (75, 0.88), (95, 0.94), (125, 1.0), (165, 1.06), (210, 1.12), (250, 1.18), (310, 1.25),
    )[rng.choice(7, p=(0.1, 0.17, 0.2, 0.18, 0.17, 0.12, 0.06))]  # fmt: skip
    speaker = _speaker(rng)
    if speaker in recordings.speakers():
        formants **= 0.5  # a true throat bears less
    return Voice(
        speaker=speaker,
        low=low * rng.uniform(0.92, 1.08),
        formants=formants * rng.uniform(0.93, 1.07),
        tilt=rng.normal(-1, 2.5),
        breath=float(rng.beta(1.2, 4)),
        vibrato=max(0.0, rng.normal(0.3, 0.3)),
        vibrato_rate=rng.uniform(4.5, 7),
        glide=rng.uniform(0.03, 0.16),
        drift=rng.uniform(0.03, 0.2),
        ring=rng.uniform(0, 9),
        chest=rng.uniform(-3, 14) if low < 130 else rng.uniform(-3, 6),
        brightness=rng.uniform(-26, -8),
    )


def _speaker(rng: np.random.Generator) -> str:
    """A recorded speaker where there are any, or a voice of flite or espeak-ng."""
    if recordings.speakers() and rng.random() < RECORDED:
        return str(rng.choice(recordings.speakers()))
    flite = rng.random() < 0.35
    return f"flite:{rng.choice(FLITE_VOICES)}" if flite else f"{rng.choice(LANGUAGES)}{rng.choice(VARIANTS)}"


def similar(voice: Voice, rng: np.random.Generator) -> Voice:
    """Another throat that sings the same: a double, or one of a choir."""
    formants = voice.formants * rng.uniform(0.93, 1.07)
    return replace(voice, formants=formants, drift=rng.uniform(0.05, 0.25), vibrato_rate=rng.uniform(4.5, 7))


def speak(voice: Voice, nb_syllables: int, rng: np.random.Generator, speed: float = 1.0) -> Speech:
    """Words of about `nb_syllables` as that voice's speaker says them: random ones, or those of a recording."""
    if voice.speaker not in recordings.speakers():
        sound, rate = _spoken(voice.speaker, _words(nb_syllables, rng), speed, rng)
        return _analysed(sound, rate, rate / 2)
    sound, band = recordings.spoken(voice.speaker, nb_syllables * SYLLABLE, rng)
    speech = _analysed(sound.astype(float), SAMPLE_RATE, band)
    frames = np.arange(0, len(speech.pitch), speed).astype(int)
    return Speech(speech.pitch[frames], speech.spectrum[frames], speech.aperiodicity[frames], band)


def _analysed(sound: np.ndarray, rate: int, band: float) -> Speech:
    pitch, times = pyworld.dio(sound, rate, f0_floor=60, f0_ceil=500, frame_period=1000 * FRAME_PERIOD)
    pitch = pyworld.stonemask(sound, pitch, times, rate)
    spectrum = pyworld.cheaptrick(sound, pitch, times, rate)
    aperiodicity = pyworld.d4c(sound, pitch, times, rate)
    bins = np.linspace(0, SAMPLE_RATE / rate * (spectrum.shape[1] - 1), NB_BINS)
    return Speech(pitch, _at_bins(spectrum, bins), _at_bins(aperiodicity, bins), band)


def _words(nb_syllables: int, rng: np.random.Generator) -> str:
    words, count = [], 0
    while count < nb_syllables:
        if rng.random() < 0.5:
            words.append(str(rng.choice(LYRICS.split())))
            count += 1
        else:
            length = int(rng.integers(1, 4))
            words.append("".join(f"{rng.choice(ONSETS)}{rng.choice(VOWELS)}{rng.choice(CODAS)}" for _ in range(length)))
            count += length
    return " ".join(words)


def _spoken(speaker: str, text: str, speed: float, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """What the speech program says, mono float64 without silence at its ends, and its sample rate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        if speaker.startswith("flite:"):
            stretch = f"duration_stretch={1 / speed:.2f}"
            command = ["flite", "-voice", speaker[6:], "--setf", stretch, "-t", text, "-o", path]
        else:
            pace, pitch = str(int(160 * speed)), str(int(rng.integers(25, 75)))
            command = ["espeak-ng", "-v", speaker, "-s", pace, "-p", pitch, "-w", path, text]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sound, rate = soundfile.read(path)
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return np.ascontiguousarray(sound[loud[0] : loud[-1]]), rate


def _at_bins(spectrum: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """`spectrum` at fractional `bins`; the last bin stands for all above it."""
    last = spectrum.shape[1] - 1
    below = np.minimum(bins.astype(int), last)
    above, share = np.minimum(below + 1, last), np.minimum(bins - below, 1)
    return spectrum[:, below] * (1 - share) + spectrum[:, above] * share


def as_sung(voice: Voice, speech: Speech, notes: list[Note], tempo: float, rng: np.random.Generator) -> Speech:
    """`speech` with its syllables put on `notes`: consonants keep their speed, vowels are held.

    A syllable that is left over is left out; a note that is left over goes on with the vowel before it (melisma).
    """
    bounds = _syllables(speech)
    groups = _shared(notes, len(bounds) - 1)
    first = notes[0].start
    sources = []
    for index, (group, begin, end) in enumerate(zip(groups, bounds[:-1], bounds[1:], strict=False)):
        following = groups[index + 1][0].start if index + 1 < len(groups) else np.inf
        last = group[-1].start + group[-1].length
        last = following if following - last < LEGATO * tempo / 60 else last
        length = _frame(last - first, tempo) - _frame(group[0].start - first, tempo)
        gap = _frame(group[0].start - first, tempo) - sum(map(len, sources))
        sources += [np.full(max(0, gap), -1), _stretched(speech, begin, end, max(length, 8))]
    frames = np.concatenate(sources)
    rest = frames < 0
    melody = _melody(voice, notes, tempo, len(frames), rng)
    return Speech(
        np.where((speech.pitch[frames] > 0) & ~rest, melody, 0.0),
        np.maximum(speech.spectrum[frames] * _dynamics(rest, rng), SILENCE),
        speech.aperiodicity[frames],
        speech.band,
    )


def as_spoken(voice: Voice, speech: Speech, liveliness: float) -> Speech:
    """`speech` at the voice's register, with its own prosody, `liveliness` times as wide."""
    voiced = speech.pitch > 0
    semitones = np.zeros_like(speech.pitch)
    if voiced.any():
        semitones[voiced] = 12 * np.log2(speech.pitch[voiced] / np.median(speech.pitch[voiced]))
    return replace(speech, pitch=np.where(voiced, voice.low * 2 ** (liveliness * semitones / 12), 0.0))


def as_whispered(speech: Speech) -> Speech:
    """`speech` without its pitch."""
    tilt = np.linspace(0, 1, NB_BINS) ** 0.3  # a whisper has little below 500 Hz
    return replace(speech, pitch=np.zeros_like(speech.pitch), spectrum=speech.spectrum * tilt**4)


def growled(sound: np.ndarray, pitch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rough voice: every other period is softer, irregularly, and the whole is overdriven."""
    turns = np.cumsum(np.repeat(pitch, int(FRAME_PERIOD * SAMPLE_RATE) + 1)[: len(sound)]) / SAMPLE_RATE
    turns = np.pad(turns, (0, len(sound) - len(turns)), "edge")
    jitter = np.interp(np.arange(len(sound)), np.arange(0, len(sound), 400), rng.random(-(-len(sound) // 400)))
    rough = 1 - 0.6 * jitter * (0.5 + 0.5 * np.sin(np.pi * turns + 3 * jitter))
    return effects.distorted((sound * rough)[None].astype(np.float32), rng.uniform(6, 20))[0]


def _frame(beats: float, tempo: float) -> int:
    return round(beats * 60 / tempo / FRAME_PERIOD)


def _syllables(speech: Speech) -> list[int]:
    """The frames between which syllables lie: the dips of the voiced energy, at least 90 ms apart."""
    energy = np.where(speech.pitch > 0, np.sqrt(speech.spectrum.sum(1)), 0.0)
    smooth = np.convolve(energy, np.hanning(15) / np.hanning(15).sum(), "same")
    inner = np.arange(1, len(smooth) - 1)
    dips = inner[(smooth[inner] <= smooth[inner - 1]) & (smooth[inner] < smooth[inner + 1])]
    bounds = [0]
    for dip in dips:
        if dip - bounds[-1] >= 18 and len(smooth) - dip >= 18 and smooth[bounds[-1] : dip].max() > 2 * smooth[dip]:
            bounds.append(int(dip))
    return [*bounds, len(smooth)]


def _shared(notes: list[Note], nb_syllables: int) -> list[list[Note]]:
    """The notes in turn for each syllable: one each, and what is left over evenly among them."""
    nb_groups = min(nb_syllables, len(notes))
    ends = np.linspace(0, len(notes), nb_groups + 1).round().astype(int)
    return [notes[begin:end] for begin, end in pairwise(ends)]


def _stretched(speech: Speech, begin: int, end: int, length: int) -> np.ndarray:
    """Frames of the speech, `length` of them: the loudest, voiced third is held, the rest keeps its speed if it can."""
    energy = np.where(speech.pitch[begin:end] > 0, speech.spectrum[begin:end].sum(1), 0.0)
    peak = begin + int(energy.argmax())
    left, right = max(begin, peak - (end - begin) // 6), min(end - 1, peak + (end - begin) // 6)
    edges = min(1.0, 0.7 * length / max(1, left - begin + end - right))
    knots = [0, edges * (left - begin), length - edges * (end - right), length]
    return np.interp(np.arange(length), knots, [begin, left, right, end - 1]).astype(int)


def _melody(voice: Voice, notes: list[Note], tempo: float, nb_frames: int, rng: np.random.Generator) -> np.ndarray:
    """The pitch (nb_frames,) in Hz: notes with glides, scoops, vibrato that comes late, and drift."""
    time, first = np.arange(nb_frames) * FRAME_PERIOD, notes[0].start
    starts = np.array([(note.start - first) * 60 / tempo for note in notes])
    index = np.clip(np.searchsorted(starts, time, "right") - 1, 0, len(notes) - 1)
    since = time - starts[index]
    scoops = np.where(rng.random(len(notes)) < 0.3, rng.uniform(-2, 0.5, len(notes)), 0.0) * min(1, voice.glide * 20)
    pitch = np.array([note.pitch for note in notes], float)[index] + scoops[index] * np.exp(-since / 0.06)
    width = max(1, int(voice.glide / FRAME_PERIOD))
    window = np.hanning(width + 2)[1:-1]
    pitch = np.convolve(np.pad(pitch, (width // 2, width - 1 - width // 2), "edge"), window / window.sum(), "valid")
    vibrato = voice.vibrato * np.clip((since - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * voice.vibrato_rate * time)
    knots = np.arange(0, time[-1] + 0.4, 0.2)
    drift = np.interp(time, knots, voice.drift * rng.standard_normal(len(knots)))
    return 440 * 2 ** ((pitch + vibrato + drift - 69) / 12)


def _dynamics(rest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A factor for the power (nb_frames, NB_BINS): silence in rests, a soft onset and end beside them, and between
    them more and less effort, which is heard above 1 kHz more than below."""
    window = np.hanning(2 * RELEASE + 1)
    padded = np.pad(np.where(rest, 0.0, 1.0), RELEASE)  # a phrase begins and ends in silence
    edges = np.clip(2 * np.convolve(padded, window / window.sum(), "valid") - 1, 0, 1)
    knots = np.arange(0, len(rest) + 60, 60)
    effort = np.interp(np.arange(len(rest)), knots, rng.normal(0, 2, len(knots)))
    octaves = np.log2(np.linspace(0, SAMPLE_RATE / 2, NB_BINS).clip(1000) / 1000)
    return edges[:, None] ** 2 * 10 ** (effort[:, None] * (1 + 0.5 * octaves) / 10)


def utter(voice: Voice, speech: Speech) -> np.ndarray:
    """The sound (nb_samples,) float32 of `speech` in this voice's throat."""
    spectrum = _shaped(voice, speech)
    aperiodicity = np.clip(speech.aperiodicity, 0, 1)
    hertz = np.linspace(0, SAMPLE_RATE / 2, NB_BINS)
    breath = voice.breath * np.clip((hertz - 1500) / 6000, 0, 1) + np.clip((hertz - 7000) / 9000, 0, 0.9)
    aperiodicity = np.maximum(aperiodicity, np.clip(breath, 0, 1))
    parts = [np.ascontiguousarray(part, float) for part in (speech.pitch, spectrum, aperiodicity)]
    return pyworld.synthesize(*parts, SAMPLE_RATE, 1000 * FRAME_PERIOD).astype(np.float32)


def _shaped(voice: Voice, speech: Speech) -> np.ndarray:
    """The spectrum with moved formants, tilt, the chest, the singer's formant, and a treble that the speech has not."""
    hertz = np.linspace(0, SAMPLE_RATE / 2, NB_BINS)
    spectrum = _at_bins(speech.spectrum, np.arange(NB_BINS) / voice.formants)
    edge = min(NB_BINS, int(0.85 * speech.band * voice.formants / (SAMPLE_RATE / 2) * (NB_BINS - 1)))
    octaves = np.log2(np.maximum(hertz, 1) / 1000)
    gain = voice.tilt * np.clip(octaves, 0, None) + voice.ring * np.exp(-(((hertz - 2900 * voice.formants) / 500) ** 2))
    gain += voice.chest / (1 + (hertz / 200) ** 3)
    spectrum = spectrum * 10 ** (gain / 10)
    presence = spectrum[:, PRESENCE].mean(1, keepdims=True)
    voiced = presence * 10 ** (voice.brightness * np.maximum(octaves - 2, 0) / 10)  # from 4 kHz on
    sibilant = spectrum[:, edge - 60 : edge].mean(1, keepdims=True) * 10 ** (-0.9 * np.maximum(octaves - 3, 0))
    spectrum[:, edge:] = np.where((speech.pitch == 0)[:, None], sibilant, voiced)[:, edge:]
    is_voiced = speech.pitch > 0
    spectrum[is_voiced, PRESENCE.stop :] = np.maximum(spectrum, voiced)[is_voiced, PRESENCE.stop :]
    return np.maximum(spectrum, SILENCE)
