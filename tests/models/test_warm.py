"""The warm process does the next job, and no failure of it or of the command makes a job hang."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.project import PROJECT
from tests.support.waiting import wait_until
from tests.support.warm_processes import wait_for_progress

RATE = 44100

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")


def test_the_warm_process_does_the_next_job(warm):
    song = warm.song(0.5)
    assert warm.run(song, minutes=0)[0] == 0
    alone = warm.stems()
    assert not warm.pids()
    pids = []
    for _ in range(2):
        shutil.rmtree(warm.out)
        status, stderr = warm.run(song)
        assert status == 0
        assert "writing: 100%" in stderr
        pids.append(warm.pids())
        for name, stem in warm.stems().items():
            np.testing.assert_allclose(stem, alone[name], atol=1e-4)
    assert pids[0] == pids[1]
    assert len(pids[0]) == 1


def test_a_failed_job_is_reported_and_the_process_stays(warm):
    bad = warm.folder / "bad.wav"
    bad.write_text("not a sound")
    assert warm.run(warm.song(0.5))[0] == 0
    before = warm.pids()
    status, stderr = warm.run(bad)
    assert status == 2
    assert stderr.splitlines()[-1].startswith("error: ")
    assert warm.run(warm.song(0.5))[0] == 0
    assert warm.pids() == before


def test_changed_weights_are_loaded_again(warm):
    model = warm.folder / "model"
    shutil.copytree(PROJECT / "openunmix_models" / "starter", model)
    song = warm.song(0.5)
    assert warm.run(song, model=str(model))[0] == 0
    before = warm.pids()
    (model / "vocals.pth").write_bytes(b"damaged")
    status, stderr = warm.run(song, model=str(model))
    assert status == 3
    assert "vocals.pth" in stderr
    assert warm.pids() == before


def test_the_command_does_the_job_itself_if_the_process_is_killed(warm):
    command = warm.start(warm.song(20))
    wait_for_progress(command)
    for pid in warm.pids():
        os.kill(pid, signal.SIGKILL)
    command.communicate(timeout=120)
    assert command.returncode == 0
    assert set(warm.stems()) == {"vocals.wav", "residual.wav"}
    assert not warm.pids()


def test_the_process_ends_if_the_command_is_killed(warm):
    command = warm.start(warm.song(40))
    wait_for_progress(command)
    command.kill()
    command.communicate()
    warm.wait_until_gone()
    assert not [path for path in warm.out.rglob("*") if path.is_file()]


def test_a_second_command_does_not_wait_for_the_first(warm):
    first = warm.start(warm.song(20, "first"))
    wait_for_progress(first)
    (busy,) = warm.pids()
    os.kill(busy, signal.SIGSTOP)  # it answers nobody
    assert warm.run(warm.song(0.5, "second"))[0] == 0
    os.kill(busy, signal.SIGCONT)
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert len(warm.pids()) == 2


def test_the_process_ends_after_its_minutes_and_on_sigterm(warm):
    assert warm.run(warm.song(0.5), minutes=0.001)[0] == 0
    warm.wait_until_gone()
    assert warm.run(warm.song(0.5))[0] == 0
    os.kill(*warm.pids(), signal.SIGTERM)
    warm.wait_until_gone()
    assert not list(warm.folder.rglob("*.sock"))


def test_changed_code_is_loaded_again(warm):
    code = warm.folder / "project"
    for package in ("openunmix_models", "audiofiles"):
        shutil.copytree(PROJECT / package, code / package)
    song = warm.song(0.5)
    assert warm.run(song, root=code)[0] == 0
    (before,) = warm.pids()
    os.utime(code / "openunmix_models" / "separation.py")
    assert warm.run(song, root=code)[0] == 0
    assert [pid for pid in warm.pids() if pid != before]
    shutil.rmtree(code)
    warm.wait_until_gone()


def test_the_process_inherits_no_open_files(warm):
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    command = warm.start(warm.song(0.5), pass_fds=[theirs])
    os.close(theirs)
    command.communicate(timeout=120)  # ends when no process holds the command's stderr
    assert warm.pids()
    assert os.read(ours, 1) == b""  # would block if a process held the other end
    os.close(ours)


def test_a_socket_folder_open_to_others_is_not_used(warm):
    sockets = warm.folder / f"openunmix-{os.getuid()}"
    sockets.mkdir()
    sockets.chmod(0o755)
    assert warm.run(warm.song(0.5))[0] == 0
    assert not warm.pids()


def test_idle_processes_end_when_asked_to(warm):
    assert warm.run(warm.song(0.5))[0] == 0
    assert warm.pids()
    command = [sys.executable, "-m", "openunmix_models", "warm", "--stop"]
    subprocess.run(command, cwd=PROJECT, env=os.environ | {"XDG_RUNTIME_DIR": str(warm.folder)}, check=True)
    wait_until(lambda: not warm.pids(), seconds=20)


def test_a_warm_process_starts_under_pythonsafepath(warm, monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    assert warm.run(warm.song(0.5))[0] == 0
    assert warm.pids()
