"""The table of engines: its entries, what it asks of its commands and makes of their logs, and its documentation."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from webapp import engines
from webapp.engine import Engine, Model, Stems
from webapp.refusal import Refusal

TABLE = engines.table()
DOCUMENTATION = (PROJECT / "webapp" / "engines.md").read_text("utf-8")
NAMES = {"2": {"vocals", "music"}, "4": {"vocals", "drums", "bass", "other"}}


@pytest.mark.parametrize("engine", TABLE.values(), ids=list(TABLE))
def test_an_entry_holds_together(engine, tmp_path):
    source, outdir = tmp_path / "a {b} {model} c.wav", tmp_path / "$(x)"
    models = [model.name or "found" for model in engine.models] or ["umx"]
    for model in models:
        for stems in engine.stems:
            for format in engine.formats:
                arguments = engine.arguments(source, model, outdir, stems, format)
                assert str(source) in arguments  # one argument, whatever is in it
                assert str(outdir) in arguments
                assert not [part for part in arguments if re.search(r"\{\w+\}", part) and part != str(source)]
                files = engine.files(model, stems, format)
                assert set(files) == NAMES[stems]
                assert len(set(files.values())) == len(files)
                for path in files.values():
                    assert ".." not in Path(path).parts
                    assert not Path(path).is_absolute()
                    assert path.endswith(f".{format}")
    for status in (*range(1, 6), -9, 255):
        assert engine.sentence(status).endswith(".")
    assert set(engine.progress) <= {"fetching", "separating", "writing"}


def test_the_defaults_and_what_stands_in_for_them_are_there():
    there = {choice.name: choice for choice in engines.choices()}
    assert there[engines.DEFAULT_MODEL].stems == ("2", "4")
    assert engines.choices()[0].name == engines.DEFAULT_MODEL == "umx"
    for engine in TABLE.values():
        if engine.fallback:
            assert {*engine.fallback.models, engine.fallback.to} <= set(there)
    assert not there["starter"].to_fetch["2"]
    assert there["starter"].stems == ("2",)
    assert (
        there["umx"].to_fetch["4"] > there["umx"].to_fetch["2"] > 30_000_000
        or (PROJECT / "openunmix_models" / "umx").exists()
    )


def test_every_model_has_one_engine():
    names = [choice.name for choice in engines.choices()]
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
def test_what_a_log_says(engine, log, doing, percent, megabytes):
    progress = TABLE[engine].look(log)
    assert (progress.doing, progress.percent, progress.megabytes) == (doing, percent, megabytes)


def test_what_is_not_installed_is_shown_with_its_command_and_cannot_be_chosen(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    demucs = engines._named(TABLE["demucs"])[-1]
    assert demucs.name == "htdemucs"
    assert demucs.install.startswith("pip install demucs")
    monkeypatch.setattr(engines, "choices", lambda: (demucs,))
    with pytest.raises(Refusal, match=r"Demucs is not installed\. To install it: pip install demucs") as refused:
        engines.choose("htdemucs", "2", "wav")
    assert refused.value.status == 400


def test_a_module_that_an_engine_needs_counts_too():
    entry = {"command": ["{python}"], "programs": [], "install": "pip install x", "formats": {}, "stems": {}}
    for module, there in (("json", True), ("no_such_module", False)):
        engine = engines._engine("x", entry | {"title": "X", "progress": {}, "modules": [module]})
        assert engine.is_installed() == there


@pytest.fixture
def models(tmp_path) -> Path:
    """A copy of the model side, into which a folder can be put."""
    ignored = shutil.ignore_patterns("__pycache__", "umx*")
    return Path(shutil.copytree(PROJECT / "openunmix_models", tmp_path / "openunmix_models", ignore=ignored))


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


def test_a_folder_put_among_the_models_is_a_choice(models):
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
    assert (there["plain"]["description"], there["plain"]["licence"]) == ("A model put here by hand", "not known")
    assert "-x" not in there
    choice = {name: engines._listed_choice(TABLE["openunmix"], model) for name, model in there.items()}
    assert choice["my-model.2"].stems == ("2", "4")
    assert choice["plain"].stems == ("2",)
    assert choice["plain"].to_fetch == {"2": 0}


def test_what_a_model_lacks_is_not_offered(models):
    put(models, "bassist", "bass", "drums")
    put(models, "half", *NAMES["4"])
    (models / "half" / "bass.pth").unlink()
    there = listed(models)
    assert engines._listed_choice(TABLE["openunmix"], there["bassist"]).stems == ()
    assert engines._listed_choice(TABLE["openunmix"], there["half"]).stems == ("2",)


def test_the_starters_line_is_its_cards():
    card = (PROJECT / "openunmix_models" / "starter" / "README.md").read_text("utf-8")
    bold = " ".join(re.search(r"\*\*(.+?)\.\*\*", card, re.DOTALL)[1].split())
    about = next(choice.about for choice in engines.choices() if choice.name == "starter")
    assert about == bold[0].upper() + bold[1:]


def test_the_documentation_tells_of_every_engine_and_every_line():
    for name in TABLE:
        assert f"`{name}`" in DOCUMENTATION
    keys = {field.name for kind in (Engine, Stems, Model) for field in fields(kind)} - {"name"}
    for key in keys:
        assert f"`{key}`" in DOCUMENTATION, key
