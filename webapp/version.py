"""The project's version, read from pyproject.toml, the one place that states it.

The project runs from a checkout and is not installed, so `importlib.metadata` does not know it. The file is searched
rather than parsed because loading tomllib would add milliseconds to every page that a script makes.
"""

import re
from functools import cache
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)


@cache
def project_version() -> str:
    """Return the version, or "unknown" where pyproject.toml is not beside the code."""
    try:
        found = VERSION.search(PYPROJECT.read_text("utf-8"))
    except OSError:
        found = None
    return found[1] if found else "unknown"
