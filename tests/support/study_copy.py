"""A copy of the project with study/ and a small model of four targets, in which the study's commands run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.project import NO_NETWORK, copy_study
from tests.support.random_model import save_random_model

MODEL = "tiny"


def install(home: Path) -> Path:
    """Add study/ and the model to `home`, a copy of the project."""
    copy_study(home)
    save_random_model(home / "openunmix_models" / MODEL, ("vocals", "drums", "bass", "other"))
    return home


def run_study(home: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run `python -m study` in `home`, without a network.

    One thread: the threads of Open-Unmix's own code wait for each other for minutes on a busy machine.
    """
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    environment = os.environ | NO_NETWORK | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
