"""The table of engines: its entries, their commands and logs, and its documentation."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tests.support.project import PROJECT, ignore_downloads
from webapp.engines import choices, table
from webapp.engines.engine import Engine, Model, Stems
from webapp.errors import ChoiceError

TABLE = table.engines()
DOCUMENTATION = (PROJECT / "docs" / "engines.md").read_text("utf-8")
NAMES = {"2": {"vocals", "music"}, "2-best": {"vocals", "music"}, "4": {"vocals", "drums", "bass", "other"}}


@pytest.mark.parametrize("engine", TABLE.values(), ids=list(TABLE))
def test_each_entry_is_consistent(engine, tmp_path):
    source, outdir = tmp_path / "a {b} {model} c.wav", tmp_path / "$(x)"
    models = [model.name or "found" for model in engine.models] or ["umx"]
    for model in models:
        for stems in engine.stems:
            arguments = engine.arguments(source, model, outdir, stems)
            assert str(source) in arguments  # one argument, whatever it contains
            assert str(outdir) in arguments
            assert not [part for part in arguments if re.search(r"\{\w+\}", part) and part != str(source)]
            files = engine.files(model, stems)
            assert set(files) == NAMES[stems]
            assert len(set(files.values())) == len(files)
            for path in files.values():
                assert ".." not in Path(path).parts
                assert not Path(path).is_absolute()
                assert path.endswith(".wav")
    for status in (*range(1, 6), -9, 255):
        assert engine.failure_reason(status).endswith(".")
    assert set(engine.progress) <= {"fetching", "separating", "writing"}


def test_defaults_and_fallbacks_exist():
    there = {choice.name: choice for choice in choices.all_choices()}
    assert there[choices.DEFAULT_MODEL].stems == ("2", "2-best", "4")
    assert choices.all_choices()[0].name == choices.DEFAULT_MODEL == "umx"
    for engine in TABLE.values():
        if engine.fallback:
            assert {*engine.fallback.models, *engine.fallback.to, *engine.parts, *engine.facts} <= set(there)
            assert set(engine.fallback.stems) <= set(engine.stems)
            assert engine.fallback.to[-1] == "starter"  # which is always on the disk
    assert not there["starter"].to_fetch["2"]
    assert there["starter"].stems == ("2", "4")
    assert (
        there["umx"].to_fetch["4"] > there["umx"].to_fetch["2"] > 30_000_000
        or (PROJECT / "openunmix_models" / "umx").exists()
    )


def test_every_model_has_one_engine():
    names = [choice.name for choice in choices.all_choices()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("engine", "log", "doing", "percent", "megabytes"),
    [
        ("openunmix", "", "", 0, ""),
        ("openunmix", "fetching umx:  34%|###   | 12.1M/35.6M [00:03<00:06, 3.9MB/s]", "fetching", 0, "35.6"),
        ("openunmix", "fetching umx: 100%|###| 35.6M/35.6M [..]\r\nsong.wav: separating:   0%|", "separating", 0, ""),
        ("openunmix", "song.wav: separating:  39%|#\rsong.wav: writing:  41%|##\rsong", "writing", 41, ""),
        ("demucs", " 45%|████      | 36.0M/80.2M [00:01<00:02, 20.1MB/s]", "fetching", 0, "80.2"),
        ("demucs", "  5%|▌  | 5.85/117.0 [00:01<00:20,  5.5seconds/s]\r 10%|█ | 11.7/117.0", "separating", 5, ""),
        ("demucs", " 80%|██ | 12.0/15.0 [02:15<00:31, 10.62s/seconds]", "separating", 80, ""),
        ("demucs", "100%|███| 15.0/15.0 [02:47<00:00, 11.19s/seconds]", "writing", 100, ""),
        ("upstream", "  0%|          | 0/1 [00:00<?, ?it/s]", "separating", 0, ""),
        ("audio-separator", " 50%|█████     | 6/12 [00:10<00:10,  1.7s/it]", "separating", 50, ""),
    ],
)
def test_progress_is_read_from_the_log(engine, log, doing, percent, megabytes):
    progress = TABLE[engine].parse_progress(log)
    assert (progress.doing, progress.percent, progress.megabytes) == (doing, percent, megabytes)


def test_a_missing_engine_gives_its_install_command(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    demucs = choices._named(TABLE["demucs"])[-1]
    assert demucs.name == "htdemucs"
    assert demucs.install.startswith("python -m pip install demucs")
    monkeypatch.setattr(choices, "all_choices", lambda: (demucs,))
    with pytest.raises(ChoiceError, match=r"Demucs is not installed\. To install it: python -m pip install demucs"):
        choices.choose("htdemucs", "2")


def test_an_engine_needs_its_modules():
    entry = {"command": ["{python}"], "programs": [], "install": "pip install x", "stems": {}}
    for module, there in (("json", True), ("no_such_module", False)):
        engine = table._engine("x", entry | {"title": "X", "progress": {}, "modules": [module]})
        assert engine.is_installed() == there


@pytest.fixture
def models(tmp_path) -> Path:
    """A copy of the model side, to which a test adds model folders."""
    return Path(shutil.copytree(PROJECT / "openunmix_models", tmp_path / "openunmix_models", ignore=ignore_downloads))


def listed(models: Path) -> dict[str, dict]:
    command = [sys.executable, "-m", "openunmix_models", "list", "--json"]
    answer = subprocess.run(command, cwd=models.parent, stdout=subprocess.PIPE, check=True).stdout
    return {model["name"]: model for model in json.loads(answer)}


def put(models: Path, name: str, *targets: str, card: str = "") -> None:
    folder = models / name
    folder.mkdir()
    for file in ("separator", *targets):
        (folder / f"{file}.json").write_text("{}")
    for target in targets:
        (folder / f"{target}.pth").touch()
    if card:
        (folder / "README.md").write_text(card)


def test_a_model_folder_added_by_hand_can_be_chosen(models):
    put(
        models,
        "my-model.2",
        *NAMES["4"],
        card="# Mine\n\nIt is **good with\nflutes.** And **not** else.\n\nLicence: CC0, all\n",
    )
    put(models, "plain", "vocals")
    put(models, "-x", "vocals")  # would be taken for an option
    there = listed(models)
    assert (there["my-model.2"]["description"], there["my-model.2"]["licence"]) == ("Good with flutes", "CC0")
    assert (there["plain"]["description"], there["plain"]["licence"]) == ("A model added by hand", "not known")
    assert "-x" not in there
    choice = {name: choices._listed_choice(TABLE["openunmix"], model) for name, model in there.items()}
    assert choice["my-model.2"].stems == ("2", "2-best", "4")
    assert choice["plain"].stems == ("2",)
    assert choice["plain"].to_fetch == {"2": 0}


def test_missing_targets_are_not_offered(models):
    put(models, "bassist", "bass", "drums")
    put(models, "half", *NAMES["4"])
    (models / "half" / "bass.pth").unlink()
    there = listed(models)
    assert choices._listed_choice(TABLE["openunmix"], there["bassist"]).stems == ()
    assert choices._listed_choice(TABLE["openunmix"], there["half"]).stems == ("2",)


def test_the_starters_description_is_the_one_of_its_model_card():
    card = (PROJECT / "openunmix_models" / "starter" / "README.md").read_text("utf-8")
    bold = " ".join(re.search(r"\*\*(.+?)\.\*\*", card, re.DOTALL)[1].split())
    about = next(choice.about for choice in choices.all_choices() if choice.name == "starter")
    assert about == bold[0].upper() + bold[1:]


def test_the_documentation_has_every_engine_and_key():
    for name in TABLE:
        assert f"`{name}`" in DOCUMENTATION
    keys = {field.name for kind in (Engine, Stems, Model) for field in fields(kind)} - {"name"}
    for key in keys:
        assert f"`{key}`" in DOCUMENTATION, key
