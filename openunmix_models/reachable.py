"""Check whether missing weights can be fetched: connect to each host once, to all at the same time."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .download import can_connect
from .published import Packaged, Published
from .weights import missing_sources

PYPI = "https://pypi.org/simple"
SECONDS = 4.0  # for all connections together
SETTING = re.compile(r"^(?:global|download|:env:)\.([\w-]+)='(.*)'$", re.MULTILINE)
TRUE_VALUES = ("1", "true", "yes", "on", "t", "y")


def check_reachable(names: Sequence[str]) -> dict[str, bool | None]:
    """Return for each model whether its missing weights can be fetched; takes about SECONDS at most.

    The value is None for a model that has all its weights, or whose missing weights are not published.
    """
    sources = {name: {_location_key(source): source for source in missing_sources(name)} for name in names}
    checks = {key: source for of_model in sources.values() for key, source in of_model.items()}
    answers = _run_together({key: partial(_is_reachable, source) for key, source in checks.items()})
    return {name: all(answers[key] for key in of_model) if of_model else None for name, of_model in sources.items()}


def _location_key(source: Published | Packaged) -> str:
    """Return what identifies a check, so that each host and each package is checked once."""
    return urlsplit(source.record).netloc if isinstance(source, Published) else source.package


def _run_together(checks: Mapping[str, Callable[[], bool]]) -> dict[str, bool]:
    """Run the checks in parallel and return their answers. A check that takes longer than SECONDS counts as False."""
    answers = dict.fromkeys(checks, False)

    def run_check(key: str) -> None:
        answers[key] = checks[key]()

    # Name resolution has no timeout, so daemon threads do it and are abandoned if they take too long.
    threads = [threading.Thread(target=run_check, args=(key,), daemon=True) for key in checks]
    until = time.monotonic() + SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(answers)


def _is_reachable(source: Published | Packaged) -> bool:
    if isinstance(source, Published):
        return can_connect(source.record)
    settings = _pip_settings()
    links = settings.get("find-links", "").replace("\\n", " ").split()
    if any(_has_wheel(link, source) for link in links):
        return True
    if settings.get("no-index", "").lower() in TRUE_VALUES:
        return False
    indexes = [settings.get("index-url", PYPI), *settings.get("extra-index-url", "").replace("\\n", " ").split()]
    return any(_has_package(index, source) for index in indexes)


def _has_wheel(link: str, source: Packaged) -> bool:
    """Return whether a `--find-links` location, a page or a folder, may have the wheel."""
    folder = _local_folder(link)
    return can_connect(link) if folder is None else any(folder.glob(f"{source.package}-{source.version}-*.whl"))


def _has_package(index: str, source: Packaged) -> bool:
    folder = _local_folder(index)
    return can_connect(index) if folder is None else (folder / source.package).is_dir()


def _local_folder(location: str) -> Path | None:
    """Return the folder of a path or a file URL, and None for a web address."""
    if location.startswith(("http://", "https://")):
        return None
    return Path(url2pathname(urlsplit(location).path) if location.startswith("file:") else location).expanduser()


def _pip_settings() -> dict[str, str]:
    """Return the settings of `pip download`. The environment takes precedence over pip's configuration files."""
    environment = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS - 1)
    except (OSError, subprocess.TimeoutExpired):
        return environment
    order = sorted(listed.stdout.splitlines(), key=lambda line: line.startswith("download."))
    return dict(SETTING.findall("\n".join(order))) | environment
