"""The STFT in blocks equals torch's own, and its inverse restores the signal."""

import math

import numpy as np
import pytest
import torch

from openunmix_models.stft import count_frames, cut_windows, overlap_add, spectrum, waveform

SHAPES = [(4096, 1024), (1024, 512), (600, 250)]  # the last hop does not divide its frame
EPS = np.finfo(np.float32).eps


def signal(nb_samples):
    return np.random.default_rng(1).standard_normal((2, nb_samples)).astype(np.float32)


def spectra(audio, n_fft, n_hop, nb_frames):
    blocks = [audio[:, start : start + 5000] for start in range(0, audio.shape[1], 5000)]
    windows = cut_windows(iter(blocks), n_fft, n_hop, nb_frames)
    return [spectrum(torch.from_numpy(window), n_fft, n_hop) for window in windows]


def fft_error(n_fft):
    """Bound on the error of a single-precision FFT, relative to the norm of the transformed vector.

    Source: N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, theorem 24.2; the constant
    covers twiddle factors that are rounded too.
    """
    return 2 * EPS * math.log2(n_fft)


def envelope(nb_samples, n_fft, n_hop):
    """The sum of the squared Hann windows at each sample of the signal, in double precision."""
    nb_frames = count_frames(nb_samples, n_hop)
    squares = np.hanning(n_fft + 1)[:-1] ** 2
    sums = np.zeros((nb_frames - 1) * n_hop + n_fft)
    for frame in range(nb_frames):
        sums[frame * n_hop : frame * n_hop + n_fft] += squares
    return sums[n_fft // 2 :][:nb_samples]


@pytest.mark.parametrize(("n_fft", "n_hop"), SHAPES)
@pytest.mark.parametrize("nb_samples", [2049, 4999, 30_000, 16 * 1024])
@pytest.mark.parametrize("nb_frames", [1, 7, 100])
def test_the_frames_are_those_of_torch(n_fft, n_hop, nb_samples, nb_frames):
    audio = signal(nb_samples)
    window = torch.hann_window(n_fft)
    expected = torch.stft(torch.from_numpy(audio), n_fft, n_hop, window=window, return_complex=True).transpose(1, 2)
    ours = torch.cat(spectra(audio, n_fft, n_hop, nb_frames), dim=1)
    assert ours.shape[1] == count_frames(nb_samples, n_hop)
    longest_frame = np.abs(audio).max() * math.sqrt(n_fft)
    torch.testing.assert_close(ours, expected, atol=2 * fft_error(n_fft) * longest_frame, rtol=0)


@pytest.mark.parametrize(("n_fft", "n_hop"), SHAPES)
@pytest.mark.parametrize("nb_samples", [1, 2, 500, 2048, 2049, 30_000])
@pytest.mark.parametrize("nb_frames", [1, 7, 100])
def test_the_signal_comes_back(n_fft, n_hop, nb_samples, nb_frames):
    audio = signal(nb_samples)
    windows = (waveform(stft, n_fft, n_hop) for stft in spectra(audio, n_fft, n_hop, nb_frames))
    back = torch.cat(list(overlap_add(windows, n_fft, n_hop)), dim=-1).numpy()
    assert back.shape[1] >= nb_samples
    # Each frame comes back with the error of two FFTs. Overlap-add weights these errors by the windows w and divides
    # by the envelope: |sum(w * error)| / sum(w**2) <= |error| * sqrt(nb_overlapping) / sqrt(sum(w**2)).
    nb_overlapping = math.ceil(n_fft / n_hop)
    tolerance = (
        2 * fft_error(n_fft) * np.abs(audio).max() * np.sqrt(nb_overlapping / envelope(nb_samples, n_fft, n_hop))
    )
    np.testing.assert_array_less(np.abs(back[:, :nb_samples] - audio), np.broadcast_to(tolerance, audio.shape))
