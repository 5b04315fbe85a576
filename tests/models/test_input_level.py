"""Networks receive a recording at the level that suits them, whatever its own level is."""

import json
import math

import numpy as np
import pytest
import torch

from openunmix_models.input_level import gain_to
from openunmix_models.loading import load_model
from openunmix_models.settings import read_settings
from openunmix_models.spleeter import NB_FRAMES
from openunmix_models.stft import power, spectrum
from openunmix_models.weights import MODELS, find_model
from tests.support.estimates import estimates, music
from tests.support.random_model import save_random_model
from tests.support.random_spleeter import save_random_spleeter

AUDIO = music((NB_FRAMES + 100) * 1024)  # more than one window of each model
QUIET = 0.01


def save_levelled_model(folder, level):
    save_random_model(folder)
    settings = json.loads((folder / "separator.json").read_text())
    (folder / "separator.json").write_text(json.dumps(settings | {"input_levels": {"vocals": level}}))
    return folder


@pytest.fixture
def models(tmp_path):
    """Folders of models by name."""
    return {
        "open-unmix": save_levelled_model(tmp_path / "open-unmix", -20),
        "spleeter": save_random_spleeter(tmp_path / "spleeter"),
        "blend": f"{tmp_path / 'open-unmix'}+{tmp_path / 'spleeter'}",
        "starter": MODELS / "starter",
        "as it is": save_random_model(tmp_path / "plain"),
    }


def vocals(model, audio, scratch):
    return estimates(audio, load_model(find_model(str(model)), ["vocals"], "cpu"), scratch)[0]


def magnitudes(audio: np.ndarray) -> torch.Tensor:
    return power(spectrum(torch.from_numpy(audio), 4096, 1024)).sqrt()


@pytest.mark.parametrize("sound", ["tone", "noise"])
@pytest.mark.parametrize("level", [-15, -40])
def test_the_gain_brings_a_sound_to_the_level(sound, level):
    time = np.arange(100_000) / 44100
    noise = np.random.default_rng(0).standard_normal((2, len(time)))
    audio = 0.03 * (noise if sound == "noise" else np.sin(2 * np.pi * np.array([[440.0], [3000.0]]) * time))
    scaled = gain_to(level, magnitudes(audio.astype(np.float32))) * audio
    assert 20 * math.log10(np.sqrt(np.square(scaled).mean())) == pytest.approx(level, abs=0.1)


def test_silence_has_a_finite_gain():
    assert gain_to(-20, torch.zeros(2, 4, 2049)) == pytest.approx(10**4)
    assert gain_to(None, torch.zeros(2, 4, 2049)) == 1


@pytest.mark.parametrize("model", ["open-unmix", "spleeter", "blend", "starter"])
def test_a_quiet_recording_is_separated_as_well_as_a_loud_one(models, tmp_path, model):
    expected = vocals(models[model], AUDIO, tmp_path)
    assert 0.1 < np.abs(expected).max() < 0.99 * np.abs(AUDIO).max()  # else any mask would do
    np.testing.assert_allclose(vocals(models[model], QUIET * AUDIO, tmp_path) / QUIET, expected, atol=2e-3)


def test_a_model_that_states_no_level_receives_the_recording_as_it_is(models, tmp_path):
    """As Open-Unmix's own command does."""
    loud, quiet = (vocals(models["as it is"], gain * AUDIO, tmp_path) / gain for gain in (1, QUIET))
    assert np.abs(loud - quiet).max() > 0.02


def test_a_recording_at_the_stated_level_is_not_changed(models, tmp_path):
    audio = AUDIO[:, : 200 * 1024]  # one window
    level = -20 - 20 * math.log10(gain_to(-20, magnitudes(np.pad(audio, ((0, 0), (2048, 2048)), "reflect"))))
    levelled = save_levelled_model(tmp_path / "levelled", level)
    np.testing.assert_allclose(
        vocals(levelled, audio, tmp_path), vocals(models["as it is"], audio, tmp_path), atol=1e-5
    )


@pytest.mark.parametrize("model", ["open-unmix", "spleeter"])
def test_each_pair_of_channels_has_its_own_level(models, tmp_path, model):
    loud, quiet = AUDIO[:, : 150 * 1024], QUIET * AUDIO[::-1, : 150 * 1024]
    together = vocals(models[model], np.concatenate([loud, quiet]), tmp_path)
    np.testing.assert_allclose(together[:2], vocals(models[model], loud, tmp_path), atol=1e-5)
    np.testing.assert_allclose(together[2:], vocals(models[model], quiet, tmp_path), atol=1e-5)


def test_every_target_of_the_starter_has_a_level():
    assert set(read_settings(MODELS / "starter").input_levels) == {"vocals", "drums", "bass"}
