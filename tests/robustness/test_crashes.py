"""Failed writes, kills and power cuts at every write to the disk: a regular sample of them."""

import json

import pytest

from tests.support.project import PROJECT, break_code
from tests.support.study_copy import run_study
from tests.support.trials import first_failures

fcntl = pytest.importorskip("fcntl")


def test_no_fault_loses_an_acknowledged_job(run_trial):
    rows = run_trial("crashes", 24)
    assert sum(row["trials"] for row in rows) > 30
    assert first_failures(rows) == []


@pytest.mark.parametrize(
    ("module", "code", "broken", "pattern", "failure"),
    [
        ("atomic", "os.fsync(descriptor)", "pass", "upload: end of the operation: power cut", "but is gone"),
        ("atomic", "os.fsync(file.fileno())", "pass", "upload: end of the operation: power cut", "but is gone"),
        (
            "cgi/durable_file",
            "os.fsync(self._file.fileno())",
            "pass",
            "upload: end of the operation: power cut",
            "the source is",
        ),
        ("worker/worker", "_sync_stems(job)", "pass", "worker: end of the operation: power cut", "done without"),
        ("atomic", "os.fsync(file.fileno())", "pass", "pictures: end of the operation: power cut", "is corrupted"),
        (
            "jobs/store",
            "with suppress(OSError):  # on a full disk",
            "if True:  # on a full disk",
            "deleting.*: create",
            "on a full disk",
        ),
        (
            "worker/separation",
            "kill_group(int(running_lock.read_bytes()))",
            "pass",
            "process has started: kill",
            "not settled",
        ),
    ],
)
def test_the_trial_finds_lost_jobs(home, run_trial, module, code, broken, pattern, failure):
    """With an error in the code, the trial reports a failure. This shows that the test above can fail."""
    break_code(home / "webapp" / f"{module}.py", code, broken)
    assert failure in json.dumps(run_trial("crashes", 1, pattern))


def test_the_faults_command_prints_a_table():
    completed = run_study(PROJECT, "faults", "--quick", "--only", "input")
    assert completed.returncode == 0, completed.stderr
    heading, _, names, _, *rows = completed.stdout.splitlines()
    assert heading.endswith("`python -m study faults --quick --only input`")
    assert names == "| part | what is tried | trials | failed |"
    assert len(rows) == 14
    assert all(row.startswith("| input |") and row.endswith(" | 0 |") for row in rows)
