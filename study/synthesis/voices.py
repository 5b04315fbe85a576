"""Synthesize voices: espeak-ng and flite speak; WORLD analyses pitch, spectrum and aperiodicity, and resynthesizes the
speech with another timbre.

M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016. The analysis has one frame every
FRAME_PERIOD; a spectrum is the power (nb_frames, nb_bins).
"""

import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from study.synthesis import recordings, world
from study.synthesis.effects import SAMPLE_RATE

FRAME_PERIOD = 0.005  # seconds
NB_BINS = 1025  # of WORLD's spectra at SAMPLE_RATE
PRESENCE = slice(110, 190)  # bins, 2.4 to 4.1 kHz
SILENCE = 1e-14
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
RECORDED = 0.6  # share of recorded voices, if recordings are installed
SYLLABLE = 0.2  # approximate length in recorded speech, in seconds
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
    """The parameters of a singer: speaker, register, timbre and style."""

    speaker: str
    low: float  # Hz, approximately the lowest note of a melody
    formants: float  # factor of the formant frequencies
    tilt: float  # dB per octave above 1 kHz
    breath: float  # 0 to 1
    vibrato: float  # semitones
    vibrato_rate: float  # Hz
    glide: float  # seconds between notes
    drift: float  # semitones
    ring: float  # dB at the singer's formant
    chest: float  # dB below 200 Hz, where a deep voice close to the microphone has most of its power
    brightness: float  # dB per octave above 4 kHz, where synthesized speech has little power


@dataclass(frozen=True)
class Speech:
    """WORLD's analysis of speech: pitch (nb_frames,) in Hz, 0 if unvoiced; power and aperiodicity (nb_frames, nb_bins).

    `band` is the bandwidth of the original sound in Hz.
    """

    pitch: np.ndarray
    spectrum: np.ndarray
    aperiodicity: np.ndarray
    band: float


def make_voice(rng: np.random.Generator) -> Voice:
    """Draw a random voice, from bass to child."""
    low, formants = (
        (75, 0.88), (95, 0.94), (125, 1.0), (165, 1.06), (210, 1.12), (250, 1.18), (310, 1.25),
    )[rng.choice(7, p=(0.1, 0.17, 0.2, 0.18, 0.17, 0.12, 0.06))]  # fmt: skip
    speaker = _speaker(rng)
    if speaker in recordings.speakers():
        formants **= 0.5  # real voices tolerate smaller changes
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
    """Draw a recorded speaker, if any are installed, or a voice of flite or espeak-ng."""
    if recordings.speakers() and rng.random() < RECORDED:
        return recordings.draw_speaker(rng)
    flite = rng.random() < 0.35
    return f"flite:{rng.choice(FLITE_VOICES)}" if flite else f"{rng.choice(LANGUAGES)}{rng.choice(VARIANTS)}"


def similar(voice: Voice, rng: np.random.Generator) -> Voice:
    """Return a slightly different voice, for doubles and choirs."""
    formants = voice.formants * rng.uniform(0.93, 1.07)
    return replace(voice, formants=formants, drift=rng.uniform(0.05, 0.25), vibrato_rate=rng.uniform(4.5, 7))


def speak(voice: Voice, nb_syllables: int, rng: np.random.Generator, speed: float = 1.0) -> Speech:
    """Let the voice's speaker say about `nb_syllables`: random words, or a recording."""
    if voice.speaker not in recordings.speakers():
        sound, rate = _spoken(voice.speaker, _words(nb_syllables, rng), speed, rng)
        return _analysed(sound, rate, rate / 2)
    sound, band = recordings.spoken(voice.speaker, nb_syllables * SYLLABLE, rng)
    speech = _analysed(sound.astype(float), SAMPLE_RATE, band)
    frames = np.arange(0, len(speech.pitch), speed).astype(int)
    return Speech(speech.pitch[frames], speech.spectrum[frames], speech.aperiodicity[frames], band)


def _analysed(sound: np.ndarray, rate: int, band: float) -> Speech:
    pitch, times = world.dio(sound, rate, f0_floor=60, f0_ceil=500, frame_period=1000 * FRAME_PERIOD)
    pitch = world.stonemask(sound, pitch, times, rate)
    spectrum = world.cheaptrick(sound, pitch, times, rate)
    aperiodicity = world.d4c(sound, pitch, times, rate)
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
    """Run the speech program. Returns mono float64 without silence at its ends, and the sample rate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        if speaker.startswith("flite:"):
            stretch = f"duration_stretch={1 / speed:.2f}"
            command = ["flite", "-voice", speaker[6:], "--setf", stretch, "-t", text, "-o", str(path)]
        else:
            pace, pitch = str(int(160 * speed)), str(int(rng.integers(25, 75)))
            command = ["espeak-ng", "-v", speaker, "-s", pace, "-p", pitch, "-w", str(path), text]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sound, rate = soundfile.read(path)
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return np.ascontiguousarray(sound[loud[0] : loud[-1]]), rate


def _at_bins(spectrum: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Interpolate `spectrum` at fractional `bins`; the last bin is used for all above it."""
    last = spectrum.shape[1] - 1
    below = np.minimum(bins.astype(int), last)
    above, share = np.minimum(below + 1, last), np.minimum(bins - below, 1)
    return spectrum[:, below] * (1 - share) + spectrum[:, above] * share


def utter(voice: Voice, speech: Speech) -> np.ndarray:
    """Synthesize `speech` with this voice, (nb_samples,) float32."""
    spectrum = _shaped(voice, speech)
    aperiodicity = np.clip(speech.aperiodicity, 0, 1)
    hertz = np.linspace(0, SAMPLE_RATE / 2, NB_BINS)
    breath = voice.breath * np.clip((hertz - 1500) / 6000, 0, 1) + np.clip((hertz - 7000) / 9000, 0, 0.9)
    aperiodicity = np.maximum(aperiodicity, np.clip(breath, 0, 1))
    parts = [np.ascontiguousarray(part, float) for part in (speech.pitch, spectrum, aperiodicity)]
    return world.synthesize(*parts, SAMPLE_RATE, 1000 * FRAME_PERIOD).astype(np.float32)


def _shaped(voice: Voice, speech: Speech) -> np.ndarray:
    """Return the spectrum with shifted formants, tilt, more low frequencies, singer's formant, and added treble."""
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
