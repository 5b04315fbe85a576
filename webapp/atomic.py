"""Writing files so that a crash leaves them whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replace(path: Path) -> Iterator[BinaryIO]:
    """Write a new file in the block; it takes the place of `path` when the block ends.

    What is promised:
    - A reader finds the old content or the new content at `path`, never a part of it.
    - Once the block has ended, the new content survives a kill of the process and a power cut.
    - If the block raises, or the disk is full, `path` stays as it was and the space is free again.

    The new file is written beside `path`, as `.<name>.part`. A kill can leave that file behind; the next call writes
    over it. Two processes must not replace the same path at once. Raises OSError.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    sync(path.parent)


def sync(*paths: Path) -> None:
    """Wait until these files, and the entries of these folders, are stored on the disk. Raises OSError."""
    for path in paths:
        if os.name == "nt" and path.is_dir():
            continue  # Windows cannot open a folder, and its file system journals renames
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
