"""Blends: the weighted mean of the masks of other models, given as a folder or on the command line."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from openunmix_models import weights
from openunmix_models.__main__ import main
from openunmix_models.errors import InputError, WeightsError
from openunmix_models.estimation import Refinement
from openunmix_models.loading import load_model
from openunmix_models.weights import default_niter, find_model, is_on_disk, model_targets
from tests.support.estimates import estimates, music
from tests.support.random_model import save_random_model
from tests.support.random_spleeter import save_random_spleeter

AUDIO = music(700_000)  # more than a segment of Spleeter's


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of models: `a` and `b` of Open-Unmix, `unet` of Spleeter."""
    folder = tmp_path_factory.mktemp("models")
    save_random_model(folder / "a", ("vocals", "drums"), gain=0.1)
    save_random_model(folder / "b", ("drums", "vocals"), hidden_size=16, max_bin=500)
    save_random_model(folder / "short", n_fft=2048, n_hop=512, max_bin=700)
    save_random_spleeter(folder / "unet")
    return folder


@pytest.fixture
def models(made, monkeypatch):
    monkeypatch.setattr(weights, "MODELS", made)
    return made


def vocals(model: str, audio: np.ndarray, scratch) -> np.ndarray:
    return estimates(audio, load_model(find_model(model), ["vocals"], "cpu"), scratch)


@pytest.fixture(scope="module")
def parts(made, tmp_path_factory):
    """The vocals of each model in AUDIO."""
    scratch = tmp_path_factory.mktemp("scratch")
    return {name: vocals(str(made / name), AUDIO, scratch) for name in ("a", "b", "unet")}


@pytest.mark.parametrize(
    ("blend", "shares"),
    [("a+b", {"a": 0.5, "b": 0.5}), ("a:3+b:1", {"a": 0.75, "b": 0.25}), ("unet:0.7+a:0.3", {"unet": 0.7, "a": 0.3}),
     ("b:0.2+unet:0.3+a:0.5", {"b": 0.2, "unet": 0.3, "a": 0.5})],
)  # fmt: skip
def test_the_estimate_is_the_weighted_mean(models, parts, tmp_path, blend, shares):
    expected = sum(share * parts[name] for name, share in shares.items())
    np.testing.assert_allclose(vocals(blend, AUDIO, tmp_path), expected, atol=1e-5)


def test_a_folder_names_models_and_shares(models, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "separator.json").write_text(json.dumps({"kind": "blend", "models": {"unet": 0.4, "a": 1.2}}))
    blend = find_model(str(folder))
    assert blend.name == "mine"
    assert dict(blend.parts) == pytest.approx({models / "unet": 0.25, models / "a": 0.75})
    parts = {models / "unet": 0.0625, models / "a": 0.1875, models / "b": 0.75}
    assert dict(find_model(f"{folder}:1+b:3").parts) == pytest.approx(parts)  # a blend brings its own parts
    audio = music(50_000)
    np.testing.assert_allclose(vocals(str(folder), audio, tmp_path), vocals("unet:1+a:3", audio, tmp_path), atol=1e-6)


def test_the_targets_are_those_of_any_part(models, capsys):
    """The accompaniment, which would contain the drums once more, is only a target if all parts have it."""
    assert model_targets(find_model("a+b")) == ["drums", "vocals"]
    assert model_targets(find_model("unet+a")) == ["vocals", "drums"]
    assert model_targets(find_model(f"unet+{models / 'unet'}")) == ["vocals", "accompaniment"]
    assert main([__file__, "--model", "unet+a", "--targets", "bass", "--niter", "0"]) == 2
    assert capsys.readouterr().err == "error: unet+a has no target bass; its targets: vocals, drums.\n"


@pytest.mark.parametrize("targets", [["vocals", "drums"], ["drums", "vocals"], ["drums"]])
def test_a_target_is_blended_from_the_models_that_have_it(models, tmp_path, targets):
    """Spleeter has no drums, so that its share does not count for them."""
    audio = music(60_000)
    expected = {
        "vocals": vocals("unet:0.7+a:0.3", audio, tmp_path)[0],
        "drums": estimates(audio, load_model(models / "a", ["drums"], "cpu"), tmp_path, ["drums"])[0],
    }
    found = estimates(audio, load_model(find_model("unet:0.7+a:0.3"), targets, "cpu"), tmp_path, targets)
    for target, estimate in zip(targets, found, strict=True):
        np.testing.assert_allclose(estimate, expected[target], atol=1e-6)


def test_a_blend_is_filtered_once_by_default(models):
    assert default_niter(find_model("unet+a"), ["vocals"], has_residual=True) == 1
    assert default_niter(find_model("unet+a"), ["vocals"], has_residual=False) == 0
    assert default_niter(find_model("unet+a"), ["vocals", "drums"], has_residual=False) == 1


def test_the_exponent_of_the_filter_is_the_weighted_mean(models, tmp_path):
    levelled = tmp_path / "levelled"
    shutil.copytree(models / "a", levelled)
    settings = json.loads((levelled / "separator.json").read_text())
    (levelled / "separator.json").write_text(json.dumps(settings | {"wiener_exponent": 1.2}))
    blend = load_model(find_model(f"{levelled}:3+b:1"), ["vocals"], "cpu")
    assert blend.settings.wiener_exponent == pytest.approx(0.75 * 1.2 + 0.25 * 2)


def test_another_stft_is_refused_with_one_sentence(models, tmp_path, capsys):
    soundfile.write(tmp_path / "song.wav", music(5000).T, 44100)
    status = main([str(tmp_path / "song.wav"), "--model", "a+short", "--targets", "vocals", "--outdir", str(tmp_path)])
    assert status == 2
    expected = (
        "error: These models cannot be blended: their STFTs differ (2048/512 at 44100 Hz and 4096/1024 at 44100 Hz).\n"
    )
    assert capsys.readouterr().err.endswith(expected)


@pytest.mark.parametrize("name", ["a:0.5+b", "a:0+b:1", "a:-1+b:1", "a:nan+b:1", "a:inf+b:1"])
def test_invalid_shares_are_refused(models, name):
    with pytest.raises(InputError):
        find_model(name)


@pytest.mark.parametrize("name", ["a+nobody", "a+", "+a", "+", "a:0.5+nobody:0.5"])
def test_a_missing_part_is_refused(models, name):
    with pytest.raises(WeightsError):
        find_model(name)


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0}, {"a": "x"}, {"a": True}, ["a"], None, {"blend": 1, "a": 1}, {"no": 1}]
)
def test_a_wrong_folder_is_refused_and_does_not_spoil_the_list(models, tmp_path, monkeypatch, shares, capsys):
    shutil.copytree(models / "a", tmp_path / "models" / "a")
    monkeypatch.setattr(weights, "MODELS", tmp_path / "models")
    folder = tmp_path / "models" / "blend"
    folder.mkdir()
    (folder / "separator.json").write_text(json.dumps({"kind": "blend", "models": shares}))
    with pytest.raises(WeightsError):
        find_model("blend")
    assert main(["list", "--json"]) == 0
    there = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert not there["blend"]["on_disk"]
    assert there["a"]["on_disk"]


def test_a_blend_lacks_what_its_parts_lack(models, tmp_path, monkeypatch, capsys):
    """Spleeter's one wheel has all, and so counts once."""
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    shutil.copytree(models / "a", tmp_path / "a")
    for name in ("spleeter", "blend"):
        (tmp_path / name).mkdir()
    shutil.copy(models / "unet" / "separator.json", tmp_path / "spleeter")
    (tmp_path / "blend" / "separator.json").write_text(json.dumps({"kind": "blend", "models": {"spleeter": 1, "a": 1}}))

    def listed(name: str) -> tuple:
        assert main(["list", "--json"]) == 0
        model = {model["name"]: model for model in json.loads(capsys.readouterr().out)}[name]
        return model["targets"], model["on_disk"], model["bytes_to_fetch"], model["missing"]

    size = weights.PACKAGED["spleeter"].nb_bytes
    assert listed("spleeter") == (["vocals", "accompaniment"], False, size, {"vocals": size, "accompaniment": size})
    assert listed("blend") == (["vocals", "drums"], False, size, {"vocals": size})
    assert not is_on_disk(find_model("blend"), ["vocals"])
    assert is_on_disk(find_model("blend"), ["drums"])
    for target in ("vocals", "accompaniment"):
        shutil.copy(models / "unet" / f"{target}.pth", tmp_path / "spleeter")
    assert listed("spleeter") == (["vocals", "accompaniment"], True, 0, {})
    assert listed("blend") == (["vocals", "drums"], True, 0, {})


def test_three_stems_of_a_blend_add_up_exactly(models, tmp_path):
    samples = (music(60_000).T * 20_000).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", samples, 44100)
    argv = ["--targets", "vocals", "drums", "--residual", "other", "--outdir", str(tmp_path)]
    assert main([str(tmp_path / "song.wav"), "--model", "unet:0.7+a:0.3", *argv]) == 0
    stems = [
        soundfile.read(tmp_path / "song" / f"{stem}.wav", dtype="int16")[0] for stem in ("vocals", "drums", "other")
    ]
    assert all(stem.any() for stem in stems)
    np.testing.assert_array_equal(sum(stems), samples)


def test_vocals_and_music_of_a_blend_add_up_exactly(models, tmp_path):
    """With no --niter, one target with a residual is filtered once."""
    samples = (music(60_000).T * 20_000).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", samples, 44100)
    argv = ["--targets", "vocals", "--residual", "music", "--outdir", str(tmp_path)]
    assert main([str(tmp_path / "song.wav"), "--model", "unet:0.7+a:0.3", *argv]) == 0
    stems = [soundfile.read(tmp_path / "song" / f"{stem}.wav", dtype="int16")[0] for stem in ("vocals", "music")]
    np.testing.assert_array_equal(stems[0] + stems[1], samples)
    model = load_model(find_model("unet:0.7+a:0.3"), ["vocals"], "cpu")
    audio = samples.T.astype(np.float32) / 32768
    expected = estimates(audio, model, tmp_path, ["vocals"], Refinement(1, residual=True))[0]
    np.testing.assert_allclose(stems[0].T / 32768, np.clip(expected, -1, 1), atol=1e-4)


def test_without_an_outdir_the_folder_is_named_after_the_parts(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", music(5000).T, 44100)
    assert main(["song.wav", "--model", "a:0.7+b:0.3", "--targets", "vocals", "--residual", "rest"]) == 0
    assert (tmp_path / "song_a+b" / "vocals.wav").is_file()
