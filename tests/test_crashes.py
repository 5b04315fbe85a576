"""Every change on the disk that fails, and every moment to be killed in: a share of them, chosen by counting."""

import json
import shutil
import struct
import subprocess
import sys

import pytest

from tests import double, waves
from tests.conftest import PROJECT
from tests.studied import study
from webapp.forecast import Forecast
from webapp.jobs import Job
from webapp.metadata import tags

fcntl = pytest.importorskip("fcntl")


def test_nothing_acknowledged_is_lost_whatever_fails(trial):
    rows = trial("crashes", 24)
    assert sum(row["trials"] for row in rows) > 30
    assert [row["found"] for row in rows if row["found"]] == []


@pytest.mark.parametrize(
    ("module", "line", "instead", "at", "wrong"),
    [
        ("jobs", "os.fsync(descriptor)", "pass", "sent: all is promised: power cut", "and is gone"),
        ("jobs", "os.fsync(file.fileno())", "pass", "sent: all is promised: power cut", "and is gone"),
        ("uploads", "os.fsync(self.file.fileno())", "pass", "sent: all is promised: power cut", "its source is"),
        ("background/worker", "_onto_disk(jobs.load(job_id))", "pass", "settles.*promised: power cut", "done without"),
        ("background/pictures", "os.fsync(file.fileno())", "pass", "drawn: all is promised: power cut", "is spoilt"),
        (
            "jobs",
            "with suppress(OSError):  # a full disk",
            "if True:  # a full disk",
            "deleted: create",
            "disk is full",
        ),
        ("background/separation", "kill_group(int(running_lock.read_bytes()))", "pass", "started: kill", "not settled"),
    ],
)
def test_what_would_be_lost_is_found(home, trial, module, line, instead, at, wrong):
    """The same with a fault put into the code: else the test above would prove nothing."""
    path = home / "webapp" / f"{module}.py"
    assert path.read_text().count(line) == 1
    path.write_text(path.read_text().replace(line, instead))
    assert wrong in json.dumps(trial("crashes", 1, at))


def test_a_folder_that_cannot_be_written_keeps_no_other_song_waiting(quick_home, serve):
    client = serve().client()
    double.order(quick_home, seconds=double.LONG)
    first, stuck, last = (client.uploaded_job(waves.wave()) for _ in range(3))
    for job in (first, stuck, last):
        client.separate(job)
    client.wait_for(first, "running")
    in_the_way = quick_home / "uploads" / stuck / "state.json.new"
    in_the_way.mkdir()
    double.order(quick_home)
    client.wait_for(last, "done")
    assert client.state(stuck)["state"] == "queued"
    in_the_way.rmdir()
    client.wait_for(stuck, "done")


def test_pictures_of_stems_that_are_gone_are_no_error(quick_home, serve):
    client = serve().client()
    job = client.uploaded_job(waves.wave())
    client.separate(job)
    client.wait_for(job, "done")
    shutil.rmtree(quick_home / "downloads" / job, ignore_errors=True)
    command = [sys.executable, "-m", "webapp.background.pictures", job]
    assert subprocess.run(command, cwd=quick_home, capture_output=True, check=True).stderr == b""


def test_a_clock_that_was_set_back_makes_no_time_negative():
    about = {"id": "0", "name": "a", "seconds": 10.0, "started": 100.0}
    done = Job(state="done", **about, begun=200.0, finished=150.0)
    waiting = Job(state="queued", **about)
    assert Forecast([done, waiting]).seconds_until_done(waiting, []) is None


@pytest.mark.parametrize("length", [1 << 45, 1 << 61, (1 << 63) - 1, (1 << 64) - 2])
def test_a_length_beyond_all_files_is_borne(tmp_path, length):
    path = tmp_path / "song.wav"
    content = waves.rf64()
    path.write_bytes(content[:20] + struct.pack("<QQ", length, length) + content[36:])
    assert not tags.are_in(path)


def test_the_command_prints_a_table():
    told = study(PROJECT, "faults", "--quick", "--only", "input")
    assert told.returncode == 0, told.stderr
    heading, _, names, _, *rows = told.stdout.splitlines()
    assert heading.endswith("`python -m study faults --quick --only input`")
    assert names == "| part | what | trials | wrong |"
    assert len(rows) == 13
    assert all(row.startswith("| input |") and row.endswith(" | 0 |") for row in rows)
