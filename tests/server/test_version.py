"""One version, stated in pyproject.toml, shown wherever somebody may look for it."""

import re
import subprocess
import sys

import pytest

import openunmix_models.version
import webapp.version
from tests.support.project import PROJECT

VERSION = webapp.version.project_version()


def test_the_version_is_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_both_sides_read_the_same_version():
    assert openunmix_models.version.project_version() == VERSION


@pytest.mark.parametrize("module", [openunmix_models.version, webapp.version])
def test_code_copied_without_pyproject_has_an_unknown_version(module, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PYPROJECT", tmp_path / "pyproject.toml")
    read = getattr(module.project_version, "__wrapped__", module.project_version)
    assert read() == "unknown"


@pytest.mark.parametrize("command", [["server.py"], ["-m", "openunmix_models"]])
def test_both_commands_print_the_version(command):
    printed = subprocess.run(
        [sys.executable, *command, "--version"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == f"sound-separator {VERSION}\n"


def test_every_page_shows_the_version_at_its_foot(client):
    for path in ("/", "/cgi-bin/songs.py", "/nothing/here"):
        footer = client.get(path).text.partition("<footer>")[2]
        assert f"Version {VERSION}." in footer
