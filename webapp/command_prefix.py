"""The command prefix of `--run-with`: the command, such as `srun` or `ssh`, by which engines run on other machines."""

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from webapp.paths import ROOT

LAUNCHER = ROOT / "webapp" / "worker" / "launcher.py"
LOCK_NAME = ".launched"  # in the job's folder
PLACEHOLDER = re.compile(r"\{(job|folder|command)\}")


def parse(text: str) -> tuple[str, ...]:
    """The arguments of a prefix. Raises ValueError if they cannot be run on this machine."""
    prefix = tuple(shlex.split(text))
    if prefix and sys.platform == "win32":
        raise ValueError("this option needs Linux or macOS")
    if prefix and shutil.which(prefix[0]) is None:
        raise ValueError(f"there is no program {prefix[0]} on this machine")
    return prefix


def with_prefix(prefix: Sequence[str], command: Sequence[str], job: str, folder: Path) -> list[str]:
    """The argument list that runs `command` through `prefix`.

    `{command}` is the command as one argument, quoted for a shell, as ssh needs it; without it, the command follows the
    prefix. `{job}` stands for `job`, a name for the scheduler's lists, and `{folder}` for `folder`.
    """
    launched = [sys.executable, str(LAUNCHER), str(folder / LOCK_NAME), *command]
    values = {"job": job, "folder": str(folder), "command": shlex.join(launched)}
    filled = [PLACEHOLDER.sub(lambda found: values[found[1]], part) for part in prefix]
    return filled if any("{command}" in part for part in prefix) else [*filled, *launched]
