"""A copy of the project with a small model of four targets, and its study's commands run there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT
from tests.random_model import save_random_model

MODEL = "tiny"


def put_in(home: Path) -> Path:
    """Make `home`, a copy of what runs, one that can be studied."""
    shutil.copytree(PROJECT / "study", home / "study", ignore=shutil.ignore_patterns("__pycache__"))
    save_random_model(home / "openunmix_models" / MODEL, ("vocals", "drums", "bass", "other"))
    return home


def study(home: Path, *arguments) -> subprocess.CompletedProcess:
    """Run `python -m study` in `home`, where nothing can be fetched."""
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    environment = os.environ | proxy | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
