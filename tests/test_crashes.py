"""Every change on the disk that fails, and every moment to be killed in: a share of them, chosen by counting."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def studied(home):
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))
    return home


def crashes(home, every: int, wanted: str = "") -> list[dict]:
    command = [sys.executable, "-m", "study.crashes", str(every), wanted]
    return json.loads(subprocess.run(command, cwd=home, stdout=subprocess.PIPE, check=True).stdout)


def test_nothing_acknowledged_is_lost_whatever_fails(studied):
    rows = crashes(studied, 9)
    assert sum(row["faults"] for row in rows) > 30
    assert [row["found"] for row in rows if row["found"]] == []


@pytest.mark.parametrize(
    ("module", "line", "instead", "at", "wrong"),
    [
        ("jobs", "os.fsync(descriptor)", "pass", "no fault at all", "not on the disk"),
        (
            "jobs",
            "with suppress(OSError):  # a full disk",
            "if True:  # a full disk",
            "deleted: create",
            "disk is full",
        ),
        ("separation", "kill_group(int(running_lock.read_bytes()))", "pass", "started: kill", "not settled"),
    ],
)
def test_what_would_be_lost_is_found(studied, module, line, instead, at, wrong):
    """The same with a fault put into the code: else the test above would prove nothing."""
    path = studied / "webapp" / f"{module}.py"
    assert path.read_text().count(line) == 1
    path.write_text(path.read_text().replace(line, instead))
    assert wrong in json.dumps(crashes(studied, 1, at))
