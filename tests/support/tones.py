"""Tones and beeps, by which a test measures the tempo and the pitch of what it hears."""

import io

import numpy as np
import soundfile

SAMPLE_RATE = 44100
TONE_HZ = 441.0
BEEP_HZ = 3000.0
BEEP_SECONDS = 0.5  # from one beep to the next


def tone(seconds: float) -> np.ndarray:
    """A steady tone, (nb_samples, 2)."""
    samples = 0.3 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    return np.stack([samples, 0.5 * samples], axis=1)


def beeps(seconds: float) -> np.ndarray:
    """The tone, and a short beep of BEEP_HZ every BEEP_SECONDS."""
    time_ = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = time_ % BEEP_SECONDS
    beep = 0.5 * np.sin(2 * np.pi * BEEP_HZ * time_) * np.exp(-phase / 0.02) * (time_ > 0.1)
    return tone(seconds) + np.stack([beep, beep], axis=1)


def wav(samples: np.ndarray, sample_rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format="WAV", subtype=subtype)
    return file.getvalue()


def beep_times(sound: np.ndarray, frequency: float) -> np.ndarray:
    """When each beep is loudest, s."""
    time_ = np.arange(len(sound)) / SAMPLE_RATE
    smooth = np.convolve(sound * np.exp(-2j * np.pi * frequency * time_), np.hanning(220) / 110, "same")
    level = np.abs(smooth)
    loud = level > 0.5 * level.max()
    starts = np.flatnonzero(loud[1:] & ~loud[:-1])
    return starts[np.diff(starts, prepend=-SAMPLE_RATE) > SAMPLE_RATE // 10] / SAMPLE_RATE
