"""The models that an engine's own command lists, kept on the disk so that scripts need not wait for the command."""

import errno
import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from webapp import atomic, locks, paths
from webapp.engines.engine import Engine, fill_placeholders


def models(engine: Engine) -> list[dict[str, Any]]:
    """The models that the engine's command lists. Raises OSError.

    The command is run again when one of the files that the engine's `listed_files` names has appeared, changed or gone.
    """
    key = _key(engine)
    try:
        return _kept(engine.name, key) or _look_up(engine, key)
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError(errno.EIO, f"the models of {engine.name} could not be listed") from error


def _key(engine: Engine) -> list[Any]:
    """What the list depends on."""
    command = [fill_placeholders(part) for part in engine.listing]
    files = {path for pattern in engine.listed_files for path in paths.ROOT.glob(pattern)}
    return [command, [[str(path), *_version(path)] for path in sorted(files)]]


def _version(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:  # deleted in the meantime
        return ()
    return status.st_mtime_ns, status.st_size


def _kept(name: str, key: list[Any]) -> list[dict[str, Any]] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_file(name).read_text("utf-8"))
        return kept["models"] if kept["key"] == key else None
    return None


def _look_up(engine: Engine, key: list[Any]) -> list[dict[str, Any]]:
    command = key[0]
    listed = subprocess.run(command, cwd=paths.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    if engine.listed_files:
        with suppress(OSError):  # a full disk: it is looked up again next time
            _keep(engine.name, {"key": key, "models": found})
    return found


def _keep(name: str, listing: dict[str, Any]) -> None:
    lock = locks.try_acquire(paths.LISTING_LOCK)
    if lock is None:
        return  # another process keeps it
    try:
        with atomic.replace(_file(name)) as file:
            file.write(json.dumps(listing).encode())
    finally:
        os.close(lock)


def _file(name: str) -> Path:
    return paths.LISTING_LOCK.with_name(f".listing-{name}")
