"""A start where songs cannot be kept: one sentence, and no server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
IS_ROOT = hasattr(os, "geteuid") and not os.geteuid()
# Without these, root may not write either where permissions do not let it (Linux, capabilities(7)).
AS_OTHERS = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"] if IS_ROOT else []


def a_file(home: Path) -> str:
    (home / "uploads").write_text("")
    return "uploads"


def a_link_to_nothing(home: Path) -> str:
    (home / "downloads").symlink_to(home / "nowhere")
    return "downloads"


def nowhere_to_make_it(home: Path) -> str:
    home.chmod(0o555)
    return "uploads"


def read_only(home: Path) -> str:
    (home / "downloads").mkdir(mode=0o555)
    return "downloads"


def another_users_lock(home: Path) -> str:
    (home / "uploads").mkdir()
    lock = home / "uploads" / ".changes"
    lock.touch(0o400)
    if IS_ROOT:
        os.chown(lock, 65534, 65534)
    return ".changes"


@pytest.mark.skipif(IS_ROOT and not shutil.which("setpriv"), reason="root may write anywhere")
@pytest.mark.parametrize("spoil", [a_file, a_link_to_nothing, nowhere_to_make_it, read_only, another_users_lock])
def test_folders_that_cannot_be_written_are_told_in_a_sentence(home, spoil):
    named = spoil(home)
    command = [*AS_OTHERS, sys.executable, str(home / "server.py"), "--port=0"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    home.chmod(0o755)
    assert told.returncode == 1
    assert told.stdout == ""
    (sentence,) = told.stderr.splitlines()
    assert sentence.startswith("Cannot write to ")
    assert f"{named}: " in sentence
