"""Where things lie, found from this file and not from the current folder."""

import errno
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
SCRIPTS = ROOT / "cgi-bin"
UPLOADS = ROOT / "uploads"
DOWNLOADS = ROOT / "downloads"
CHANGES = UPLOADS / ".changes"  # held for every change of a job's state; its time tells that something has changed
WORKER_LOCK = UPLOADS / ".worker"  # held as long as a worker is at work


def prepare() -> None:
    """Make the folders for songs and stems. Raises OSError, about one that cannot be made or written to."""
    for folder in (UPLOADS, DOWNLOADS):
        if folder.exists() and not folder.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        folder.mkdir(exist_ok=True)
    for path in (UPLOADS, DOWNLOADS, CHANGES, WORKER_LOCK):  # the files may be those of another user's server
        if path.exists() and not os.access(path, os.W_OK):
            raise OSError(errno.EACCES, "it is read-only, or somebody else's", str(path))
