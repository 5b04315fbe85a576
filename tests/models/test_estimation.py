"""The estimates equal those of openunmix.model.Separator for all targets, filters and lengths."""

import numpy as np
import pytest
import torch
from openunmix import utils

from openunmix_models import estimation, open_unmix, recurrence
from openunmix_models.estimation import Refinement, Signal, estimate
from openunmix_models.loading import load_model
from tests.support.estimates import NB_SAMPLES_PER_BLOCK, estimates, music
from tests.support.random_model import save_random_model

ALL = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("models") / "random", ALL)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The threads of Open-Unmix's own code wait for each other for minutes on a busy machine."""
    nb_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(nb_threads)


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks so small that a short signal has many."""
    monkeypatch.setattr(open_unmix.OpenUnmix, "nb_frames", 20)
    monkeypatch.setattr(open_unmix, "FRAMES_AT_ONCE", 20)
    monkeypatch.setattr(estimation, "FRAMES_AT_ONCE", 20)
    monkeypatch.setattr(recurrence, "FRAMES_AT_ONCE", 13)


def ours(audio, folder, targets, refinement, scratch):
    return estimates(audio, load_model(folder, targets, "cpu"), scratch, targets, refinement)


def theirs(audio, folder, targets, refinement):
    """Estimates (nb_sources, 2, nb_samples); the residual, if there is one, comes last."""
    separator = utils.load_separator(
        str(folder), targets, refinement.niter, refinement.residual, refinement.wiener_win_len, "cpu"
    )
    separator.freeze()
    with torch.no_grad():
        return separator(utils.preprocess(torch.from_numpy(audio), 44100, 44100))[0].numpy()


def assert_same(estimates, expected):
    """Check that the difference is below 1e-4 of full scale, and 60 dB below the expected signal."""
    assert estimates.shape == expected.shape
    error = estimates - expected
    assert np.abs(error).max() < 1e-4
    assert np.square(error).sum() < 1e-6 * np.square(expected).sum()


@pytest.mark.parametrize(
    ("targets", "refinement"),
    [
        (["vocals"], Refinement(1, True)),
        (["vocals"], Refinement(0, False)),
        (["vocals"], Refinement(0, True)),
        (["vocals"], Refinement(2, True, 50)),
        (["drums", "bass"], Refinement(1, False, 33)),
        (["vocals", "other"], Refinement(2, True)),
        (list(ALL), Refinement(1, False, 100)),
        (list(ALL), Refinement(1, True, None)),
    ],
)
def test_the_targets_equal_open_unmix(folder, tmp_path, small_blocks, targets, refinement):
    audio = music(150_001)
    expected = theirs(audio, folder, targets, refinement)[: len(targets)]
    assert_same(ours(audio, folder, targets, refinement, tmp_path), expected)


@pytest.mark.parametrize(
    "nb_samples",
    [2049, 4096, 20 * 1024, 20 * 1024 - 1, 40 * 1024 + 1023, NB_SAMPLES_PER_BLOCK, NB_SAMPLES_PER_BLOCK + 1],
)
def test_every_length_that_open_unmix_accepts(folder, tmp_path, small_blocks, nb_samples):
    audio = music(nb_samples)
    expected = theirs(audio, folder, ["vocals"], Refinement(1, True, 20))[:1]
    assert_same(ours(audio, folder, ["vocals"], Refinement(1, True, 20), tmp_path), expected)


@pytest.mark.parametrize("nb_samples", [1, 2, 1000, 2048])
def test_lengths_that_open_unmix_refuses(folder, tmp_path, nb_samples):
    estimates = ours(music(nb_samples), folder, ["vocals"], Refinement(1, True), tmp_path)
    assert estimates.shape == (1, 2, nb_samples)
    assert np.isfinite(estimates).all()
    assert np.abs(estimates).max() > 0


@pytest.mark.parametrize("shape", [{"hidden_size": 512}, {"hidden_size": 1024, "max_bin": 1487}, {"max_bin": None}])
def test_published_sizes_equal_open_unmix(tmp_path, shape):
    folder = save_random_model(tmp_path / "random", **shape)
    audio = music(100_000)
    expected = theirs(audio, folder, ["vocals"], Refinement(1, True))[:1]
    assert_same(ours(audio, folder, ["vocals"], Refinement(1, True), tmp_path), expected)


def test_a_mono_model_equals_open_unmix(tmp_path):
    folder = save_random_model(tmp_path / "mono", ["vocals"], nb_channels=1)
    audio = music(100_000)
    expected = theirs(audio, folder, ["vocals"], Refinement(1, True))[:1]
    assert_same(ours(audio, folder, ["vocals"], Refinement(1, True), tmp_path), expected)


def test_a_mono_mixture_is_separated_as_two_equal_channels(folder, tmp_path):
    audio = music(100_000, nb_channels=1)
    expected = theirs(audio, folder, ["vocals"], Refinement(1, True))[:1].mean(1, keepdims=True)
    assert_same(ours(audio, folder, ["vocals"], Refinement(1, True), tmp_path), expected)


def test_more_than_two_channels_are_separated_in_pairs(folder, tmp_path, small_blocks):
    audio = music(60_000, nb_channels=5)
    estimates = ours(audio, folder, ["vocals"], Refinement(1, True), tmp_path)
    pairs = [ours(audio[first : first + 2], folder, ["vocals"], Refinement(1, True), tmp_path) for first in (0, 2, 4)]
    np.testing.assert_allclose(estimates, np.concatenate(pairs, axis=1), atol=1e-6)


@pytest.mark.parametrize("niter", [1, 2])
def test_digital_silence_equals_open_unmix(folder, tmp_path, niter):
    audio = music(200_000)
    audio[:, :60_000] = 0
    audio[1, 100_000:140_000] = 0
    expected = theirs(audio, folder, ["vocals"], Refinement(niter, True))[:1]
    estimates = ours(audio, folder, ["vocals"], Refinement(niter, True), tmp_path)
    assert_same(estimates, expected)
    assert not estimates[..., :50_000].any()


def test_half_precision_weights_are_accepted(folder, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    for path in folder.iterdir():
        (half / path.name).write_bytes(path.read_bytes())
    state = torch.load(folder / "vocals.pth", weights_only=True)
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, half / "vocals.pth")
    audio = music(50_000)
    whole, halved = (ours(audio, f, ["vocals"], Refinement(1, True), tmp_path) for f in (folder, half))
    np.testing.assert_allclose(whole, halved, atol=1e-2)


def test_no_scratch_file_is_left(folder, tmp_path):
    ours(music(50_000), folder, ["vocals"], Refinement(1, True), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_1(folder, tmp_path, small_blocks):
    audio, parts = music(150_000), []
    signal = Signal(lambda: iter([audio]), *audio.shape)
    model = load_model(folder, ALL[:2], "cpu")
    list(estimate(signal, model, ALL[:2], Refinement(1, True, 30), tmp_path, parts.append))
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert len(set(parts)) > 20
