"""Windows of frames, put together, are torch's own STFT, and come back as the signal."""

import numpy as np
import pytest
import torch

from openunmix_models.stft import count_frames, cut_windows, overlap_add, spectrum, waveform

SHAPES = [(4096, 1024), (1024, 512), (600, 250)]  # the last hop does not divide its frame


def signal(nb_samples):
    return np.random.default_rng(1).standard_normal((2, nb_samples)).astype(np.float32)


def spectra(audio, n_fft, n_hop, nb_frames):
    blocks = [audio[:, start : start + 5000] for start in range(0, audio.shape[1], 5000)]
    windows = cut_windows(iter(blocks), n_fft, n_hop, nb_frames)
    return [spectrum(torch.from_numpy(window), n_fft, n_hop) for window in windows]


@pytest.mark.parametrize(("n_fft", "n_hop"), SHAPES)
@pytest.mark.parametrize("nb_samples", [2049, 4999, 30_000, 16 * 1024])
@pytest.mark.parametrize("nb_frames", [1, 7, 100])
def test_the_frames_are_those_of_torch(n_fft, n_hop, nb_samples, nb_frames):
    audio = signal(nb_samples)
    window = torch.hann_window(n_fft)
    expected = torch.stft(torch.from_numpy(audio), n_fft, n_hop, window=window, return_complex=True).transpose(1, 2)
    ours = torch.cat(spectra(audio, n_fft, n_hop, nb_frames), dim=1)
    assert ours.shape[1] == count_frames(nb_samples, n_hop)
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize(("n_fft", "n_hop"), SHAPES)
@pytest.mark.parametrize("nb_samples", [1, 2, 500, 2048, 2049, 30_000])
@pytest.mark.parametrize("nb_frames", [1, 7, 100])
def test_the_signal_comes_back(n_fft, n_hop, nb_samples, nb_frames):
    audio = signal(nb_samples)
    windows = (waveform(stft, n_fft, n_hop) for stft in spectra(audio, n_fft, n_hop, nb_frames))
    back = torch.cat(list(overlap_add(windows, n_fft, n_hop)), dim=-1).numpy()
    assert back.shape[1] >= nb_samples
    np.testing.assert_allclose(back[:, :nb_samples], audio, atol=1e-4)
