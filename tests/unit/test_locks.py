"""File locks."""

import subprocess
import sys

from tests.support.project import PROJECT
from webapp.locks import is_held, try_acquire


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    hold = "import sys; from webapp.locks import acquire; acquire(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        assert try_acquire(path) is None
        holder.kill()
    assert not is_held(path)
