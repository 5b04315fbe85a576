"""The project's version, read from pyproject.toml, the one place that states it.

The project runs from a checkout and is not installed, so `importlib.metadata` does not know it.
"""

import re
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)


def project_version() -> str:
    """Return the version, or "unknown" where this package was copied without pyproject.toml."""
    try:
        found = VERSION.search(PYPROJECT.read_text("utf-8"))
    except OSError:
        found = None
    return found[1] if found else "unknown"
