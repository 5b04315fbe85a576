"""Spleeter's networks and the masks of a whole signal, against a plain implementation, and properties of any signal."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from openunmix_models.errors import WeightsError
from openunmix_models.estimation import Refinement
from openunmix_models.loading import load_model
from openunmix_models.spleeter import INPUT_LEVEL, NB_BINS, NB_FRAMES, OVERLAP, Spleeter
from openunmix_models.unet import NB_LAYERS, UNet, _as_convolution
from tests.support.estimates import estimates, music
from tests.support.random_spleeter import SETTINGS, random_state, save_random_spleeter

TARGETS = ["vocals", "accompaniment"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_random_spleeter(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def model(folder) -> Spleeter:
    return load_model(folder, TARGETS, "cpu")


def plain_network(state: dict[str, torch.Tensor], magnitudes: torch.Tensor) -> torch.Tensor:
    """The network as the paper describes it, in double precision: magnitudes of the source."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def normalised(x, name):
        return x * state[f"{name}.gain"][:, None, None] + state[f"{name}.offset"][:, None, None]

    x, skipped = magnitudes.double(), []
    for number in range(1, NB_LAYERS + 1):
        name = f"down{number}"
        x = functional.pad(x, (1, 2, 1, 2))
        skipped.append(functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2))
        x = functional.leaky_relu(normalised(skipped[-1], name), 0.2) if number < NB_LAYERS else skipped[-1]
    for number in range(1, NB_LAYERS + 1):
        name = f"up{number}"
        if number > 1:
            x = torch.cat([skipped[NB_LAYERS - number], x], dim=1)
        x = functional.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2)
        x = normalised(functional.relu(x[:, :, 1:-2, 1:-2]), name)
    ratio = functional.conv2d(x, state["mask.weight"], state["mask.bias"], padding=3, dilation=2).sigmoid()
    return ratio * magnitudes


def plain_mask(magnitudes: torch.Tensor) -> torch.Tensor:
    """The mask of the vocals for a segment, with Spleeter's own term against a division by zero."""
    vocals, accompaniment = (plain_network(random_state(seed), magnitudes).square() for seed in (0, 1))
    return (vocals + 0.5e-10) / (vocals + accompaniment + 1e-10)


def decibels(reference: np.ndarray, estimate: np.ndarray) -> float:
    return 10 * np.log10(np.square(reference).sum() / max(np.square(reference - estimate).sum(), 1e-30))


@torch.inference_mode()
def test_the_mask_is_that_of_the_paper(model):
    magnitudes = 30 * torch.rand(2, 2, NB_FRAMES, NB_BINS, generator=torch.Generator().manual_seed(3)).square()
    expected = plain_mask(magnitudes).numpy()
    assert 0.05 < expected.std() < 0.45  # else any mask would do
    masked = model.mask(magnitudes) * magnitudes
    assert decibels(expected * magnitudes.numpy(), masked.numpy()) > 90


@pytest.mark.parametrize(("nb_inputs", "nb_outputs"), [(1, 1), (3, 2), (32, 16)])
def test_a_transposed_convolution_is_a_convolution_at_half_the_resolution(nb_inputs, nb_outputs):
    torch.manual_seed(0)
    x, weight = torch.randn(2, nb_inputs, 6, 10), torch.randn(nb_inputs, nb_outputs, 5, 5)
    expected = functional.conv_transpose2d(x, weight, stride=2)[:, :, 1:-2, 1:-2]
    ours = functional.pixel_shuffle(functional.conv2d(x, _as_convolution(weight), padding=1), 2)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_segments_overlap_and_are_cross_faded(model, tmp_path):
    """The whole signal, as one reads it in the documentation: STFT, segments, levels, fades, treble, inverse STFT."""
    audio = music((2 * NB_FRAMES - OVERLAP + 40) * 1024 + 77)
    hann = torch.hann_window(4096)
    mix = torch.stft(torch.from_numpy(audio), 4096, 1024, window=hann, return_complex=True).transpose(1, 2)
    step, nb_frames = NB_FRAMES - OVERLAP, mix.shape[1]
    magnitudes = functional.pad(mix.abs()[..., :NB_BINS], (0, 0, 0, NB_FRAMES))
    mask = torch.zeros(2, nb_frames + NB_FRAMES, NB_BINS)
    for start in range(0, nb_frames - OVERLAP, step):
        power = mix[:, start : start + NB_FRAMES].abs().square()
        level = (2 * power.sum(-1).mean() / 4096 / hann.square().sum()).sqrt()
        gain = 10 ** (INPUT_LEVEL / 20) / level
        segment = model.mask(gain * magnitudes[None, :, start : start + NB_FRAMES])[0]
        for frame in range(NB_FRAMES):
            share = min((frame + 0.5) / OVERLAP, 1.0) if start else 1.0
            old = mask[:, start + frame].clone()
            mask[:, start + frame] = (1 - share) * old + share * segment[:, frame]
    mask = mask[:, :nb_frames]
    treble = mask.mean(-1, keepdim=True).expand(-1, -1, 2049 - NB_BINS)
    masked = (torch.cat([mask, treble], -1) * mix).transpose(1, 2)
    expected = torch.istft(masked, 4096, 1024, window=hann, length=audio.shape[1]).numpy()
    ours = estimates(audio, model, tmp_path)[0]
    assert ours.shape == expected.shape
    assert decibels(expected, ours) > 60  # masks lie on the disk in half precision
    assert list(tmp_path.iterdir()) == []


class AlternatingModel(Spleeter):
    """A model that gives one segment to the vocals nearly alone, and the next nearly not."""

    def mask(self, magnitudes):
        object.__setattr__(self, "calls", getattr(self, "calls", 0) + 1)
        return torch.full_like(magnitudes, 0.9 if self.calls % 2 else 0.1)


@pytest.mark.parametrize("sound", ["tone", "song"])
def test_no_seam_is_heard(folder, tmp_path, sound):
    """However different the masks of two segments are, the level of the vocals changes little from frame to frame."""
    nb_samples = int(2.5 * NB_FRAMES * 1024)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(nb_samples) / 44100, dtype=np.float32)
    audio = np.stack([tone, tone]) if sound == "tone" else music(nb_samples)
    settings = load_model(folder, TARGETS, "cpu").settings
    vocals = estimates(audio, AlternatingModel(None, None, settings, "cpu"), tmp_path)[0]
    share = frame_levels(vocals) / frame_levels(audio)
    assert share.max() > 0.85
    assert share.min() < 0.15  # the masks did differ
    assert np.abs(np.diff(share)).max() < 1.5 * 0.8 / OVERLAP


def frame_levels(audio: np.ndarray) -> np.ndarray:
    """The level of each hop, one value for 1024 samples."""
    nb_hops = audio.shape[1] // 1024
    return np.sqrt(np.square(audio[:, : nb_hops * 1024]).reshape(2, nb_hops, 1024).mean((0, 2)))


def test_both_targets_add_up_to_the_mixture(model, tmp_path):
    audio = music(100_000)
    both = estimates(audio, model, tmp_path, TARGETS)
    np.testing.assert_allclose(both.sum(0), audio, atol=1e-5)
    np.testing.assert_allclose(both[:1], estimates(audio, model, tmp_path), atol=1e-6)


@pytest.mark.parametrize("nb_samples", [1, 2, 1000, 2048, 2049, NB_FRAMES * 1024 - 1, NB_FRAMES * 1024])
def test_any_length(model, tmp_path, nb_samples):
    audio = music(nb_samples)
    vocals = estimates(audio, model, tmp_path)
    assert vocals.shape == (1, 2, nb_samples)
    assert np.isfinite(vocals).all()
    assert np.abs(vocals).max() > 0


@pytest.mark.parametrize("nb_channels", [1, 3])
def test_other_numbers_of_channels_go_in_pairs(model, tmp_path, nb_channels):
    audio = music(60_000, nb_channels)
    ours = estimates(audio, model, tmp_path)[0]
    last = np.concatenate([audio[-1:], audio[-1:]])
    np.testing.assert_allclose(ours[-1], estimates(last, model, tmp_path)[0].mean(0), atol=1e-6)


def test_silence_stays_silent(model, tmp_path):
    audio = music(200_000)
    audio[:, :60_000] = 0
    audio[1] = 0
    vocals = estimates(audio, model, tmp_path, refinement=Refinement(1, residual=True))[0]
    assert np.isfinite(vocals).all()
    assert not estimates(np.zeros((2, 70_000), np.float32), model, tmp_path).any()
    assert np.abs(estimates(audio, model, tmp_path)[0][:, :50_000]).max() < 1e-6


def test_a_loud_signal_gives_numbers(model, tmp_path):
    assert np.isfinite(estimates(2.0**24 * music(50_000), model, tmp_path)).all()


@pytest.mark.parametrize("change", [{"up1.bias": torch.zeros(3)}, {"more": torch.zeros(1)}])
def test_weights_of_another_shape_are_refused(change):
    with pytest.raises(ValueError, match="shape"):
        UNet(random_state(0) | change)


@pytest.mark.parametrize(
    "change", [{"nfft": 2048}, {"nb_channels": 1}, {"niter": -1}, {"kind": "guess"}, {"niter": 0.5}]
)
def test_wrong_settings_and_damaged_weights_are_named(tmp_path, change):
    (tmp_path / "separator.json").write_text(json.dumps(SETTINGS | change))
    with pytest.raises(WeightsError, match=r"separator\.json is damaged"):
        load_model(tmp_path, TARGETS, "cpu")
    (tmp_path / "separator.json").write_text(json.dumps(SETTINGS))
    torch.save({"up1.bias": torch.zeros(3)}, tmp_path / "vocals.pth")
    with pytest.raises(WeightsError, match=r"vocals\.pth is damaged"):
        load_model(tmp_path, TARGETS, "cpu")
