"""The Wiener filter for two channels equals Open-Unmix's general one."""

import pytest
import torch
from openunmix import filtering

from openunmix_models.wiener import separate_window


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The threads of Open-Unmix's own code wait for each other for minutes on a busy machine."""
    nb_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(nb_threads)


def window(nb_targets, loudness=1.0, nb_frames=40, nb_bins=77):
    """Random masks of the targets, and the STFT of a mixture with correlated channels."""
    torch.manual_seed(3)
    sides = torch.randn(2, nb_frames, nb_bins, dtype=torch.complex64)
    mix_stft = loudness * (sides + torch.randn(nb_frames, nb_bins, dtype=torch.complex64))
    return torch.rand(nb_targets, 2, nb_frames, nb_bins), mix_stft


def theirs(masks, mix_stft, niter, residual):
    spectrograms = (masks * mix_stft.abs()).permute(2, 3, 1, 0)
    mixture = torch.view_as_real(mix_stft).permute(1, 2, 0, 3).contiguous()
    estimates = filtering.wiener(spectrograms, mixture, niter, residual=residual)[..., : len(masks)]
    return torch.view_as_complex(estimates.permute(4, 2, 0, 1, 3).contiguous())


@pytest.mark.parametrize("nb_targets", [1, 2, 4])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("niter", [0, 1, 2, 3])
@pytest.mark.parametrize("loudness", [0.01, 1.0, 50.0])  # the loudest one is scaled down by Open-Unmix
def test_the_estimates_equal_open_unmix(nb_targets, residual, niter, loudness):
    masks, mix_stft = window(nb_targets, loudness)
    ours = separate_window(masks.split(10, dim=-1), mix_stft, niter, residual)
    torch.testing.assert_close(ours, theirs(masks, mix_stft, niter, residual), atol=3e-4 * loudness, rtol=1e-3)


def plain_filter(masks, mix_stft, exponent):
    """One iteration of the filter with a residual, as the papers write it, in double precision."""
    mix = mix_stft.to(torch.complex128)
    sources = [*(masks * mix), mix - (masks * mix).sum(0)]
    spectra = torch.stack(sources).permute(0, 3, 2, 1)  # (nb_sources, nb_bins, nb_frames, 2)
    density = spectra.abs().square().mean(-1)  # (nb_sources, nb_bins, nb_frames)
    outer = torch.einsum("jfti,jftk->jfik", spectra, spectra.conj())
    covariance = outer / density.sum(-1)[..., None, None]
    shares = (density ** (exponent / 2))[..., None, None] * covariance[:, :, None]
    gains = shares @ torch.linalg.inv(shares.sum(0))
    filtered = torch.einsum("jftik,ftk->jfti", gains, mix.permute(2, 1, 0))
    return filtered.permute(0, 3, 2, 1)[: len(masks)]


@pytest.mark.parametrize("exponent", [2.0, 1.2, 0.5])
@pytest.mark.parametrize("loudness", [0.5, 50.0])
def test_the_exponent_is_that_of_the_magnitudes(exponent, loudness):
    masks, mix_stft = window(2, loudness)
    ours = separate_window(masks.split(10, dim=-1), mix_stft, 1, True, exponent)
    expected = plain_filter(masks.double(), mix_stft, exponent).to(torch.complex64)
    torch.testing.assert_close(ours, expected, atol=2e-3 * loudness, rtol=1e-3)
    other = separate_window(masks.split(10, dim=-1), mix_stft, 1, True, 0.8 * exponent)
    assert (other - ours).abs().max() > 0.02 * loudness


def test_all_targets_together_are_the_mixture():
    masks, mix_stft = window(3)
    masks /= masks.sum(0)
    torch.testing.assert_close(separate_window([masks], mix_stft, 1, False).sum(0), mix_stft, atol=1e-3, rtol=1e-3)


def test_silence_stays_silent():
    masks, mix_stft = window(2)
    assert not separate_window([masks], torch.zeros_like(mix_stft), 1, True).any()
