"""Too little memory gives one sentence and its own exit status, and the next song works."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openunmix_models import estimation, separation
from openunmix_models.__main__ import main
from openunmix_models.errors import is_out_of_memory
from tests.support import wave_files
from tests.support.project import PROJECT
from tests.support.warm_processes import wait_for_progress

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
MEMORY = 5  # exit status
SENTENCE = "error: There is not enough memory left on this machine."
# The command with a limit on memory beyond what it has taken after importing torch.
LIMITED = """
import os, re, resource, sys
import torch, numpy, soundfile, soxr, tqdm
from openunmix_models.__main__ import main
from openunmix_models import estimation, loading, separation
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
def test_out_of_memory_is_reported_in_one_sentence(tmp_path, monkeypatch, capsys, error, place_):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(*place_, fail)
    (tmp_path / "song.wav").write_bytes(wave_files.encoded())
    argv = [str(tmp_path / "song.wav"), "--model", "starter", "--residual", "music", "--outdir", str(tmp_path / "out")]
    assert main(argv) == MEMORY
    assert capsys.readouterr().err.splitlines()[-1] == SENTENCE
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_other_errors_are_not_out_of_memory():
    for error in (RuntimeError("required rank 4 tensor to use channels_last memory format"), OSError(errno.EIO, "")):
        assert not is_out_of_memory(error)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory is taken")
@pytest.mark.parametrize("megabytes", [1, 30, 60, 100])
def test_a_memory_limit_of_the_system_is_reported(warm, megabytes):
    """Wherever memory runs out; C libraries may end the process before Python notices."""
    argv = ["--model", "starter", "--targets", "vocals", "--residual", "residual", "--outdir", str(warm.out)]
    command = [sys.executable, "-c", LIMITED, str(megabytes), str(warm.song(20)), *argv]
    completed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    ended_itself = completed.returncode < 0 or "libgomp" in completed.stderr
    assert ended_itself or (completed.returncode == MEMORY and SENTENCE in completed.stderr), completed.stderr
    assert "Traceback" not in completed.stderr
    assert ended_itself or not [path for path in warm.out.rglob("*") if path.is_file()]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no system call for it here")
def test_a_warm_process_without_memory_ends_and_the_next_song_works(warm):
    song = warm.song(20)
    assert warm.run(warm.song(0.5, "short"))[0] == 0
    (pid,) = warm.pids()
    taken = int(re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) << 10
    resource.prlimit(pid, resource.RLIMIT_AS, (taken + (5 << 20),) * 2)
    command = warm.start(song)
    stderr = command.communicate(timeout=120)[1]
    assert command.returncode == MEMORY, stderr
    assert stderr.splitlines()[-1] == SENTENCE
    warm.wait_until_gone()
    assert warm.run(song)[0] == 0


def test_a_stopped_process_ends_with_the_command(warm):
    command = warm.start(warm.song(60))
    wait_for_progress(command)
    (busy,) = warm.pids()
    os.kill(busy, signal.SIGSTOP)
    command.terminate()
    command.communicate(timeout=120)
    warm.wait_until_gone()
