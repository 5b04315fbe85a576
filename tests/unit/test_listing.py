"""The models that an engine's command lists: the command runs again only when its files have changed."""

import json
import sys
from dataclasses import replace

import pytest

from webapp import paths
from webapp.engines import listing, table

COUNT = (
    "import pathlib; file = pathlib.Path('runs'); file.write_text(file.read_text() + 'x'); print('[{\"name\": \"a\"}]')"
)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "LISTING_LOCK", tmp_path / ".listing")
    (tmp_path / "runs").write_text("")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.pth").write_bytes(b"1")
    real = table.find_engine("openunmix")
    return replace(real, listing=(sys.executable, "-c", COUNT), listed_files=("weights/*.pth",))


def runs(tmp_path) -> int:
    return len((tmp_path / "runs").read_text())


def test_the_command_runs_once_while_nothing_changes(engine, tmp_path):
    assert [listing.models(engine) for _ in range(3)] == [[{"name": "a"}]] * 3
    assert runs(tmp_path) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b.pth").write_bytes(b"1"),
        lambda folder: (folder / "a.pth").write_bytes(b"12"),
        lambda folder: (folder / "a.pth").unlink(),
    ],
    ids=["a new file", "another length", "a file less"],
)
def test_the_command_runs_again_after_a_change(engine, tmp_path, change):
    listing.models(engine)
    change(tmp_path / "weights")
    listing.models(engine)
    listing.models(engine)
    assert runs(tmp_path) == 2


def test_without_known_files_nothing_is_kept(engine, tmp_path):
    for _ in range(2):
        listing.models(replace(engine, listed_files=()))
    assert runs(tmp_path) == 2


@pytest.mark.parametrize("kept", ["", "[]", '{"key": []}', "\0"])
def test_a_damaged_file_is_replaced(engine, tmp_path, kept):
    file = tmp_path / ".listing-openunmix"
    file.write_text(kept)
    assert listing.models(engine) == [{"name": "a"}]
    assert json.loads(file.read_text())["models"] == [{"name": "a"}]


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('no list')"])
def test_a_command_that_fails_is_an_error(engine, code):
    with pytest.raises(OSError, match="could not be listed"):
        listing.models(replace(engine, listing=(sys.executable, "-c", code)))
