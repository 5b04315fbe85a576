"""Several files from the shell: each one's name and percent."""

import re
import subprocess
import sys

from tests.conftest import PROJECT


def test_each_file_shows_its_name_and_its_percent(song, tmp_path):
    names = ["one.wav", "second song.wav"]
    for name in names:
        song(0.5, name=name).rename(tmp_path / name)
    command = [sys.executable, "-m", "openunmix_models", *names, "--model", "starter", "--residual", "music"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)}, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    for name in names:
        percents = [int(found) for found in re.findall(rf"{name}: \w+: +(\d+)%", done.stderr)]
        assert percents == sorted(percents)
        assert (percents[0], percents[-1]) == (0, 100)
    assert done.stderr.rindex(names[0]) < done.stderr.index(names[1])
