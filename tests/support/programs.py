"""Programs that some tests need."""

import os
import shutil
import sys

import pytest

IS_CI = os.environ.get("CI") == "true" and sys.platform == "linux"  # where .ci/run installs all of them
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def require_program(*names: str) -> str:
    """The path of the first of these programs that is installed. Without one the test is skipped, but fails in CI."""
    found = next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)
    return found or skip_or_fail(f"not installed: {' or '.join(names)}")


def skip_or_fail(reason: str):
    """Skip the test, but fail it in CI."""
    (pytest.fail if IS_CI else pytest.skip)(reason)
