"""--remainder: one stem also gets what all the others leave of the mixture."""

import numpy as np
import pytest
import soundfile

from openunmix_models.__main__ import main
from tests.support.estimates import music
from tests.support.random_model import save_random_model

ALL = ("vocals", "drums", "bass", "other")
MUSIC = '{"vocals": ["vocals"], "music": ["drums", "bass", "other"]}'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("models") / "four", ALL, hidden_size=16)


def separated(model, folder, *options: str, subtype: str = "PCM_16") -> dict[str, np.ndarray]:
    soundfile.write(folder / "song.wav", music(60_000).T, 44100, subtype)
    argv = ["--model", str(model), "--targets", *ALL, "--outdir", str(folder / "out"), *options]
    assert main([str(folder / "song.wav"), *argv]) == 0
    stems = {path.stem: path for path in (folder / "out" / "song").iterdir()}
    stems["mixture"] = folder / "song.wav"
    dtype = "int32" if subtype.startswith("PCM") else "float64"
    return {stem: soundfile.read(path, dtype=dtype)[0].astype(float) for stem, path in stems.items()}


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_the_stems_add_up_exactly(model, tmp_path, subtype):
    stems = separated(model, tmp_path, "--aggregate", MUSIC, "--remainder", "music", subtype=subtype)
    assert set(stems) == {"vocals", "music", "mixture"}
    atol = 0 if subtype != "FLOAT" else 1e-7
    np.testing.assert_allclose(stems["vocals"] + stems["music"], stems["mixture"], atol=atol, rtol=0)


def test_the_remainder_does_not_change_the_filter(model, tmp_path):
    """The vocals are those of the four networks, with or without a remainder."""
    with_one = separated(model, tmp_path, "--aggregate", MUSIC, "--remainder", "music")
    without = separated(model, tmp_path, "--aggregate", MUSIC)
    np.testing.assert_array_equal(with_one["vocals"], without["vocals"])
    assert (without["vocals"] + without["music"] != without["mixture"]).any()


def test_four_stems_with_a_remainder_add_up(model, tmp_path):
    stems = separated(model, tmp_path, "--remainder", "other")
    np.testing.assert_array_equal(sum(stems[target] for target in ALL), stems["mixture"])


@pytest.mark.parametrize(
    "options", [["--remainder", "rest"], ["--aggregate", '{"vocals": ["vocals"]}', "--remainder", "vocals"]]
)
def test_a_remainder_that_is_not_one_of_several_stems_is_refused(model, options, capsys):
    assert main(["song.wav", "--model", str(model), "--targets", *ALL, *options]) == 2
    assert "--remainder takes the name of one of several stems" in capsys.readouterr().err
