"""A model's files torn, spoiled, or something else: told in one sentence, with the status of damaged weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openunmix_models import integrity
from openunmix_models.errors import WeightsError
from openunmix_models.network import load_model
from study.faults.torn_models import DEEDS
from tests.conftest import PROJECT
from tests.random_model import save_random_model

SETTINGS = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}


def test_a_damaged_model_is_told_in_a_sentence(trial):
    rows = trial("torn_models", 10 * len(DEEDS), 1)
    assert [row["trials"] for row in rows] == [10] * len(DEEDS)
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []


def test_damage_that_nobody_sees_is_found(home, trial):
    network = home / "openunmix_models" / "network.py"
    network.write_text(network.read_text().replace("if not is_whole(path)", "if False"))
    assert "separates otherwise, and says nothing" in json.dumps(trial("torn_models", 10 * len(DEEDS), 1))


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
    ],
)
def test_settings_that_no_such_model_has_are_refused(model, name, value):
    (model / "separator.json").write_text(json.dumps(SETTINGS | {name: value}))
    with pytest.raises(WeightsError, match=r"^model/(separator\.json|vocals\.pth) is damaged[^\n]*\.$"):
        load_model(model, ["vocals"], "cpu")


def test_a_byte_of_the_starter_is_missed(tmp_path):
    """Its zip holds checksums, at which torch does not look."""
    weights = tmp_path / "vocals.pth"
    raw = bytearray((PROJECT / "openunmix_models" / "starter" / "vocals.pth").read_bytes())
    for at in (len(raw) // 2, 100_000):
        raw[at] ^= 1
        weights.write_bytes(raw)
        assert not integrity.is_whole(weights)
        raw[at] ^= 1
    weights.write_bytes(raw)
    assert integrity.is_whole(weights)


@pytest.mark.parametrize("options", [[], ["--keep-warm", "0.01"]])
@pytest.mark.parametrize("damage", ["cut", "byte", "folder"])
def test_the_command_ends_with_the_status_of_damaged_weights(model, song, tmp_path, damage, options):
    weights = model / "vocals.pth"
    spoil(weights, damage)
    command = [sys.executable, "-m", "openunmix_models", song(0.1), "--model", model, "--residual", "rest", *options]
    done = subprocess.run([*command, "--outdir", tmp_path / "out"], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: model/vocals.pth is ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.wav"))


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_the_page_of_a_job_says_that_the_weights_are_damaged(home, serve, song, damage):
    spoil(home / "openunmix_models" / "starter" / "vocals.pth", damage)
    server = serve()
    client = server.client()
    job = client.uploaded_job(song(0.1))
    client.separate(job)
    state = client.wait_for(job, "failed")
    assert state["error"].startswith("The model's weights could not be fetched, or are damaged.")
    page = client.get(f"/cgi-bin/job.py?job={job}").text
    assert "or are damaged." in page
    for text in (page, server.log.read_text()):
        assert "Traceback" not in text
        assert str(home) not in text


def spoil(weights: Path, damage: str) -> None:
    raw = weights.read_bytes()
    middle = len(raw) // 2
    if damage == "folder":
        weights.unlink()
        weights.mkdir()
    else:
        byte = raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]
        weights.write_bytes({"cut": raw[:middle], "byte": byte}[damage])
