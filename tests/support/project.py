"""The project's root, and copies of the parts that a server needs to run."""

import compileall
import os
import re
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("webapp", "openunmix_models", "audiofiles")
SERVED = ("pyproject.toml", "server.py", "cgi-bin", "static", *PACKAGES)
EDITED = (".py", ".toml", ".json")  # kinds of files that some tests edit in their copy
DOWNLOADED_MODELS = ("umx", "umxhq", "umxl", "spleeter")
# A proxy that refuses every connection: nothing outside this machine can be reached through it.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def copy_project(home: Path) -> Path:
    """Copy what the server needs into `home`, so that each test has its own uploads/ and downloads/.

    The copy includes compiled code, so that its servers and scripts need not compile it again. Files that no test edits
    are links to those of one copy for this process, because creating hundreds of files takes longer than many a test.
    """
    for path in Path(_first_copy().name).iterdir():
        if path.is_dir():
            shutil.copytree(path, home / path.name, copy_function=_link_or_copy)
        else:
            _link_or_copy(path, home / path.name)
    return home


@cache
def _first_copy() -> tempfile.TemporaryDirectory:
    """The project in a folder that is removed when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="project")
    for name in PACKAGES:
        compileall.compile_dir(PROJECT / name, quiet=1)
    for name in SERVED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, Path(folder.name, name), ignore=ignore_downloads)
        else:
            shutil.copy2(PROJECT / name, Path(folder.name, name))
    return folder


def _link_or_copy(path: Path | str, copied: Path | str) -> None:
    if not str(path).endswith(EDITED):
        with suppress(OSError):  # the other folder is on another disk, or the file system has no links
            os.link(path, copied)
            return
    shutil.copy2(path, copied)


def ignore_downloads(folder: str, names: list[str]) -> list[str]:
    """Leave out weights that were downloaded, so that every machine tests the same models."""
    is_downloaded = Path(folder).name in DOWNLOADED_MODELS
    return [name for name in names if is_downloaded and name.endswith((".pth", ".part"))]


def copy_study(home: Path) -> None:
    """Copy study/ into `home`, a copy of the project."""
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))


def add_engine(home: Path, name: str, command: list[str]) -> None:
    """Add an engine with one model, both called `name`, to the table of engines."""
    entry = f"""
[{name}]
title = "{name}"
programs = []
install = ""
command = {command}
stems.2 = {{ files = {{ vocals = "vocals.wav", music = "music.wav" }} }}
progress.separating = '(?P<percent>\\d+)%'

[[{name}.models]]
name = "{name}"
about = "For a test"
licence = "CC0"
"""
    with (home / "webapp" / "engines" / "engines.toml").open("a", encoding="utf-8") as table:
        table.write(entry)


def failing_script(message: str) -> str:
    """The source of a CGI script whose `main` raises RuntimeError."""
    return f"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import script


def main(request):
    raise RuntimeError({message!r})


script.run(main)
"""


def break_code(path: Path, code: str, broken: str) -> None:
    """Replace a piece of a copy's source, which must be there exactly once.

    Only for trials that start the code in processes of their own, where no patch reaches it, to show that they find
    such a fault.
    """
    source = path.read_text("utf-8")
    assert source.count(code) == 1, f"{code!r} is {source.count(code)} times in {path.name}"
    path.write_text(source.replace(code, broken), "utf-8")


def job_folders(home: Path) -> set[str]:
    """The names of the jobs' folders in uploads/, and of uploads that are not complete."""
    return {entry.name for entry in (home / "uploads").iterdir() if re.fullmatch("[0-9a-f]{32}", entry.name)}
