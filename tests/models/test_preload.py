"""`warm`: a process that loads the model ahead of the first job."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.project import PROJECT
from tests.support.waiting import wait_until
from tests.support.warm_processes import wait_for_progress

MODEL = ["--model", "starter", "--targets", "vocals", "--residual", "residual"]


def preload(warm, *argv: str, minutes: float = 1) -> None:
    command = [sys.executable, "-m", "openunmix_models", "warm", *(argv or MODEL), "--keep-warm", str(minutes)]
    env = os.environ | {"XDG_RUNTIME_DIR": str(warm.folder)}
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == done.stderr == ""


def has_torch(pid: int) -> bool:
    return "libtorch_cpu" in Path(f"/proc/{pid}/maps").read_text()


def test_the_job_is_done_by_the_process_that_was_started(warm):
    preload(warm)
    (pid,) = warm.pids()
    assert warm.run(warm.song(0.5))[0] == 0
    assert warm.pids() == [pid]


def test_it_loads_the_model_before_any_job(warm):
    preload(warm)
    (pid,) = warm.pids()
    wait_until(lambda: has_torch(pid), message="torch is not loaded")


def test_another_preload_sets_the_minutes_of_the_same_process(warm):
    preload(warm)
    before = warm.pids()
    preload(warm, minutes=0.001)
    assert before
    warm.wait_until_gone()  # the last request counts


def test_while_a_job_runs_no_other_process_is_started(warm):
    command = warm.start(warm.song(40))
    wait_for_progress(command)
    before = warm.pids()
    preload(warm)
    assert warm.pids() == before
    command.kill()
    command.communicate()


def test_a_model_without_weights_starts_nothing(warm):
    model = warm.folder / "model"
    shutil.copytree(PROJECT / "openunmix_models" / "starter", model)
    (model / "vocals.pth").unlink()
    preload(warm, "--model", str(model), "--targets", "vocals")
    assert not warm.pids()


def test_damaged_weights_are_reported_by_the_job(warm):
    model = warm.folder / "model"
    shutil.copytree(PROJECT / "openunmix_models" / "starter", model)
    (model / "vocals.pth").write_bytes(b"damaged")
    preload(warm, "--model", str(model), "--targets", "vocals")
    status, stderr = warm.run(warm.song(0.5), model=str(model))
    assert status == 3
    assert "vocals.pth" in stderr


def test_a_missing_model_is_an_error():
    command = [sys.executable, "-m", "openunmix_models", "warm", "--model", "nobody", "--keep-warm", "1"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (3, "error: There is no model called nobody.\n")
