"""Damaged or wrong model files give one sentence and the exit status of damaged weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openunmix_models import integrity
from openunmix_models.errors import WeightsError
from openunmix_models.loading import load_model
from tests.support.project import PROJECT
from tests.support.random_model import damage_weights, save_random_model

SETTINGS = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}


@pytest.fixture
def model(tmp_path) -> Path:
    return save_random_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sample_rate", value) for value in (0, -1, 1e300, float("inf"), float("nan"), None, [])),
        *(("nfft", value) for value in (0, 1, 4094, 4097, -4096, float("inf"), "x")),
        *(("nhop", value) for value in (0, -1024, 4096, 1e300)),
        *(("nb_channels", value) for value in (0, 1, 3, 1e18)),
        *(("wiener_exponent", value) for value in (None, 0, -1, 2.5, "1", float("nan"), True)),
        *(("input_levels", value) for value in (None, -20, [], [["vocals", -20]])),
        *(("input_levels", {"vocals": value}) for value in (None, "-20", True, 1, -101, float("nan"))),
    ],
)
def test_invalid_settings_are_refused(model, name, value):
    (model / "separator.json").write_text(json.dumps(SETTINGS | {name: value}))
    with pytest.raises(WeightsError, match=r"^model/(separator\.json|vocals\.pth) is damaged[^\n]*\.$"):
        load_model(model, ["vocals"], "cpu")


def test_one_changed_bit_in_the_starter_is_detected(tmp_path):
    """The weights are a zip with checksums, which torch does not check."""
    weights = tmp_path / "vocals.pth"
    raw = bytearray((PROJECT / "openunmix_models" / "starter" / "vocals.pth").read_bytes())
    for at in (len(raw) // 2, 100_000):
        raw[at] ^= 1
        weights.write_bytes(raw)
        assert not integrity.is_intact(weights)
        raw[at] ^= 1
    weights.write_bytes(raw)
    assert integrity.is_intact(weights)


@pytest.mark.parametrize("options", [[], ["--keep-warm", "0.01"]])
@pytest.mark.parametrize("damage", ["cut", "byte", "folder"])
def test_the_command_ends_with_the_status_of_damaged_weights(model, song, tmp_path, damage, options):
    weights = model / "vocals.pth"
    damage_weights(weights, damage)
    command = [sys.executable, "-m", "openunmix_models", song(0.1), "--model", model, "--residual", "rest", *options]
    done = subprocess.run([*command, "--outdir", tmp_path / "out"], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: model/vocals.pth is ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.wav"))
