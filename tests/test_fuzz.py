"""Two thousand bad inputs for the parsers of what comes from outside; the long run tries many more."""

import json
import shutil
import subprocess
import sys

from tests.conftest import PROJECT


def test_no_parser_breaks(home):
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "study.faults.fuzz", "2000", "1"]
    rows = json.loads(subprocess.run(command, cwd=home, stdout=subprocess.PIPE, check=True).stdout)
    assert sum(row["trials"] for row in rows) > 1900
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []


def test_a_parser_that_breaks_is_found(home):
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))
    visitors = home / "webapp" / "visitors.py"
    visitors.write_text(
        visitors.read_text().replace("return _hash(found[1]) if found else", "return _hash(found[1]) or")
    )
    command = [sys.executable, "-m", "study.faults.fuzz", "600", "1"]
    rows = json.loads(subprocess.run(command, cwd=home, stdout=subprocess.PIPE, check=True).stdout)
    assert [row["what"] for row in rows if row["found"]] == ["Cookie (visitors)"]
