"""Mixing effects: equalizer, compressor, reverberation, echo, distortion, stereo width, MP3 coding.

Sounds are (nb_channels, nb_samples) float32 at SAMPLE_RATE; the functions return new arrays.
"""

import subprocess

import numpy as np
from scipy import signal

SAMPLE_RATE = 44100
LAME_DELAY = 576  # samples of delay after encoding and decoding
BLOCK = 256  # samples with the same compressor gain


def decibels(gain: float) -> float:
    """Convert a gain in dB to a factor."""
    return 10.0 ** (gain / 20.0)


def rms(sound: np.ndarray) -> float:
    """Return the root mean square of all tenths of a second within 50 dB of the loudest."""
    power = (sound**2).mean(0)
    windows = power[: len(power) // 4410 * 4410].reshape(-1, 4410).mean(1) if len(power) >= 4410 else power
    heard = windows[windows > windows.max(initial=0.0) * 1e-5]
    return float(np.sqrt(heard.mean())) if len(heard) else 0.0


def scale_to(sound: np.ndarray, level: float) -> np.ndarray:
    """Scale `sound` to an RMS of `level` dB relative to full scale (for example -20). Silence stays silent."""
    loudness = rms(sound)
    return sound * np.float32(decibels(level) / loudness) if loudness > 1e-7 else sound


def filtered(sound: np.ndarray, kind: str, frequency: float, order: int = 2) -> np.ndarray:
    """Apply a Butterworth filter; `kind` is "lowpass" or "highpass", `frequency` its cutoff in Hz."""
    sections = signal.butter(order, min(frequency, 0.49 * SAMPLE_RATE), kind, fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(sections, sound, axis=-1).astype(np.float32)


def peaked(sound: np.ndarray, frequency: float, gain: float, q: float = 1.0) -> np.ndarray:
    """Apply a peaking filter of `gain` dB at `frequency` Hz.

    R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
    """
    omega, root = 2 * np.pi * frequency / SAMPLE_RATE, decibels(gain / 2)
    alpha = np.sin(omega) / (2 * q)
    b = [1 + alpha * root, -2 * np.cos(omega), 1 - alpha * root]
    a = [1 + alpha / root, -2 * np.cos(omega), 1 - alpha / root]
    return signal.sosfilt(np.array([[*b, *a]]) / a[0], sound, axis=-1).astype(np.float32)


def equalised(sound: np.ndarray, rng: np.random.Generator, strength: float = 4.0) -> np.ndarray:
    """Apply three random peaking filters; `strength` is the standard deviation of their gains in dB."""
    for low, high in ((60, 250), (300, 2000), (2500, 9000)):
        sound = peaked(sound, np.exp(rng.uniform(np.log(low), np.log(high))), rng.normal(0, strength), 0.8)
    return sound


def compressor_gain(sound: np.ndarray, threshold: float, ratio: float, release: float = 0.15) -> np.ndarray:
    """Return the gain (nb_samples,) of a compressor with an instantaneous attack.

    Args:
        sound: (nb_channels, nb_samples).
        threshold: level in dB relative to full scale above which the gain is reduced.
        ratio: by which levels above the threshold are divided.
        release: time constant in seconds.
    """
    nb_samples = sound.shape[-1]
    nb_blocks = -(-nb_samples // BLOCK)
    padded = np.pad(np.abs(sound).max(0), (0, nb_blocks * BLOCK - nb_samples))
    peaks = 20 * np.log10(padded.reshape(nb_blocks, BLOCK).max(1) + 1e-9)
    wanted = np.minimum(0.0, (threshold - peaks) * (1 - 1 / ratio))
    keep = np.exp(-BLOCK / SAMPLE_RATE / release)
    gains, gain = np.empty(nb_blocks), 0.0
    for block, target in enumerate(wanted):
        gain = min(target, keep * gain + (1 - keep) * target)
        gains[block] = gain
    ahead = np.minimum(gains, np.append(gains[1:], 0.0))
    return np.interp(np.arange(nb_samples), np.arange(nb_blocks) * BLOCK, decibels(ahead)).astype(np.float32)


def compressed(sound: np.ndarray, below_peak: float, ratio: float) -> np.ndarray:
    """Compress with a threshold `below_peak` dB below the peak, and keep the RMS."""
    peak = 20 * np.log10(np.abs(sound).max(initial=1e-9))
    return scale_to(sound * compressor_gain(sound, peak - below_peak, ratio), 20 * np.log10(rms(sound) + 1e-9))


def room(
    sound: np.ndarray, rng: np.random.Generator, seconds: float, wet: float, pre_delay: float = 0.01
) -> np.ndarray:
    """Add reverberation that decays by 60 dB in `seconds`, faster at high frequencies, with independent channels."""
    nb_samples = int(seconds * SAMPLE_RATE)
    time = np.arange(nb_samples) / SAMPLE_RATE
    noise = rng.standard_normal((2, nb_samples)).astype(np.float32) * np.exp(-6.9 * time / seconds).astype(np.float32)
    dull = filtered(noise, "lowpass", rng.uniform(1500, 5000), 1)
    mix = np.exp(-time / (0.3 * seconds)).astype(np.float32)
    response = filtered(noise * mix * 0.5 + dull, "highpass", rng.uniform(80, 300), 1)
    response /= np.sqrt((response**2).sum(1, keepdims=True))
    tail = signal.oaconvolve(sound, response, axes=-1)[:, : sound.shape[-1]]
    late = int(pre_delay * SAMPLE_RATE)
    return (sound + wet * np.pad(tail, ((0, 0), (late, 0)))[:, : sound.shape[-1]]).astype(np.float32)


def echo(sound: np.ndarray, seconds: float, feedback: float, wet: float, ping_pong: bool) -> np.ndarray:
    """Add repetitions every `seconds`, each low-pass filtered and scaled by `feedback`; `ping_pong` swaps the sides."""
    step, repeat, out = int(seconds * SAMPLE_RATE), sound * wet, sound.copy()
    for start in range(step, min(sound.shape[-1], 5 * step), step):
        repeat = filtered(repeat, "lowpass", 5000, 1)
        repeat = repeat[::-1] if ping_pong else repeat
        out[:, start:] += repeat[:, : sound.shape[-1] - start]
        repeat = repeat * feedback
    return out


def extended(sound: np.ndarray, band: float, slope: float) -> np.ndarray:
    """Synthesize high frequencies for a recording that has none above `band` Hz (spectral band replication).

    The octave below `band` is copied above it repeatedly, up to 16 kHz, each time `slope` dB lower.
    """
    spectrum = np.fft.rfft(sound)
    half = int(band / 2 * sound.shape[-1] / SAMPLE_RATE)
    for copy in range(1, max(1, int(16000 / (band / 2)))):
        above = spectrum[..., (1 + copy) * half : (2 + copy) * half]
        above += decibels(-slope * copy) * spectrum[..., half : half + above.shape[-1]]
    return np.fft.irfft(spectrum, sound.shape[-1]).astype(np.float32)


def distorted(sound: np.ndarray, drive: float) -> np.ndarray:
    """Amplify by `drive` dB, apply soft clipping, and keep the RMS."""
    peak = np.abs(sound).max(initial=1e-9)
    return scale_to(np.tanh(sound / peak * decibels(drive)), 20 * np.log10(rms(sound) + 1e-9))


def swept(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply a wah: a narrow peaking filter that moves between 300 Hz and 4 kHz."""
    nb_samples, centres = sound.shape[-1], np.geomspace(300, 4000, 5)
    time = np.arange(nb_samples) / SAMPLE_RATE
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.1, 2.5) * time + rng.random()))
    place = (wave * (len(centres) - 1)).astype(np.float32)
    out = np.zeros_like(sound)
    for index, centre in enumerate(centres):
        out += peaked(sound, centre, rng.uniform(8, 18), 2.0) * np.clip(1 - np.abs(place - index), 0, 1)
    return out


def chorused(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a copy with a delay that varies by some milliseconds: a chorus or a flanger."""
    time = np.arange(sound.shape[-1])
    late = rng.uniform(0.001, 0.02) * SAMPLE_RATE
    sweep = np.sin(2 * np.pi * (rng.uniform(0.1, 3) * time / SAMPLE_RATE + rng.random()))
    places = time - late * (1 + rng.uniform(0.1, 0.8) * sweep)
    copy = np.stack([np.interp(places, time, channel, left=0.0) for channel in sound])
    return (sound + rng.uniform(0.3, 1) * rng.choice([-1, 1]) * copy).astype(np.float32)


def pumped(sound: np.ndarray, seconds: float, depth: float) -> np.ndarray:
    """Reduce the gain by `depth` every `seconds`, like side-chain compression. It recovers in a fifth of that time."""
    since = np.arange(sound.shape[-1]) / SAMPLE_RATE % seconds
    return sound * (1 - depth * np.exp(-since / (0.2 * seconds))).astype(np.float32)


def widened(sound: np.ndarray, width: float) -> np.ndarray:
    """Scale the side signal by `width`; 0 gives mono."""
    middle, side = sound.mean(0), (sound[0] - sound[1]) / 2 * width
    return np.stack([middle + side, middle - side])


def panned(sound: np.ndarray, place: float) -> np.ndarray:
    """Pan a mono sound (nb_samples,) with equal power; `place` is from -1 (left) to 1 (right)."""
    angle = (place + 1) * np.pi / 4
    return np.stack([sound * np.cos(angle), sound * np.sin(angle)]).astype(np.float32) * np.float32(np.sqrt(2))


def through_mp3(sound: np.ndarray, kilobits: int) -> np.ndarray:
    """Encode `sound` as MP3 with LAME and decode it again, without the delay."""
    pcm = np.ascontiguousarray((sound.T.clip(-1, 1) * 32767).astype("<i2"))
    head = ["lame", "--quiet", "-r", "-s", "44.1", "--bitwidth", "16", "-m", "j", "-b", str(kilobits), "-", "-"]
    coded = subprocess.run(head, input=pcm.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    back = ["lame", "--quiet", "--decode", "--mp3input", "-t", "-", "-"]
    raw = subprocess.run(back, input=coded, stdout=subprocess.PIPE, check=True).stdout
    decoded = np.frombuffer(raw, "<i2").reshape(-1, 2)[LAME_DELAY:].T.astype(np.float32) / 32767
    nb_samples = sound.shape[-1]
    return np.pad(decoded, ((0, 0), (0, max(0, nb_samples - decoded.shape[1]))))[:, :nb_samples]
