"""Too little memory for a separation: a sentence, an exit status of its own, and the next song works."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openunmix_models import estimation, separation
from openunmix_models.__main__ import main
from openunmix_models.errors import is_for_want_of_memory
from tests import double, processes, waves
from tests.test_warm import ROOT, _wait_for_progress, place

__all__ = ["place"]
resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
MEMORY = 5  # exit status
SENTENCE = "error: There is not enough memory left on this machine."
# The command, with so much more memory than it has taken when torch is there.
LIMITED = """
import os, re, resource, sys
import torch, numpy, soundfile, soxr, tqdm
from openunmix_models.__main__ import main
from openunmix_models import estimation, network, separation
taken = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (taken + (int(sys.argv[1]) << 20),) * 2)
status = main(sys.argv[2:])
sys.stderr.flush()
os._exit(status)
"""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("can't start new thread"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
@pytest.mark.parametrize("place_", [(separation, "_signal"), (separation, "_write_stems"), (estimation, "power")])
def test_want_of_memory_is_told_in_a_sentence_wherever_it_is_found(tmp_path, monkeypatch, capsys, error, place_):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(*place_, fail)
    (tmp_path / "song.wav").write_bytes(waves.written())
    argv = [str(tmp_path / "song.wav"), "--model", "starter", "--residual", "music", "--outdir", str(tmp_path / "out")]
    assert main(argv) == MEMORY
    assert capsys.readouterr().err.splitlines()[-1] == SENTENCE
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_other_errors_are_no_want_of_memory():
    for error in (RuntimeError("required rank 4 tensor to use channels_last memory format"), OSError(errno.EIO, "")):
        assert not is_for_want_of_memory(error)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory is taken")
@pytest.mark.parametrize("megabytes", [1, 30, 60, 100])
def test_a_limit_that_the_system_sets_is_told_too(place, megabytes):
    """From the model to the last pass; the C libraries may end the process themselves before Python hears of it."""
    argv = ["--model", "starter", "--targets", "vocals", "--residual", "residual", "--outdir", str(place.out)]
    command = [sys.executable, "-c", LIMITED, str(megabytes), str(place.song(20)), *argv]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    ended_itself = told.returncode < 0 or "libgomp" in told.stderr
    assert ended_itself or (told.returncode == MEMORY and SENTENCE in told.stderr), told.stderr
    assert "Traceback" not in told.stderr
    assert ended_itself or not [path for path in place.out.rglob("*") if path.is_file()]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no system call for it here")
def test_a_warm_process_without_memory_goes_and_the_next_song_works(place):
    song = place.song(20)
    assert place.run(place.song(0.5, "short"))[0] == 0
    (pid,) = place.waiting()
    taken = int(re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) << 10
    resource.prlimit(pid, resource.RLIMIT_AS, (taken + (5 << 20),) * 2)
    command = place.start(song)
    told = command.communicate(timeout=60)[1]
    assert command.returncode == MEMORY, told
    assert told.splitlines()[-1] == SENTENCE
    assert place.wait_until_gone(10)
    assert place.run(song)[0] == 0


def test_a_process_that_hangs_ends_with_the_command(place):
    command = place.start(place.song(60))
    _wait_for_progress(command)
    (busy,) = place.waiting()
    os.kill(busy, signal.SIGSTOP)
    command.terminate()
    command.communicate(timeout=30)
    assert place.wait_until_gone(10)


def test_the_visitor_is_told_and_the_next_song_works(quick_home, serve):
    client = serve().client()
    double.order(quick_home, status=MEMORY)
    job = client.uploaded_job(waves.wave())
    client.separate(job)
    assert "not enough memory" in client.wait_for(job, "failed")["error"]
    double.order(quick_home)
    client.separate(job)
    client.wait_for(job, "done")


def test_an_engine_that_stands_still_is_ended_with_all_it_started(home, serve, place):
    """The real command, with the process that stays warm for it, both stopped in the middle."""

    client = serve(f"--max-job-hours={8 / 3600}").client()
    job = client.uploaded_job(place.song(120))
    client.separate(job, model="starter")
    deadline = time.monotonic() + 7
    while client.state(job)["percent"] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped = processes.of(home, "openunmix_models")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    assert "longer than it may take" in client.wait_for(job, "failed")["error"]
    for pid in stopped:
        processes.wait_until_ended(home, pid)
