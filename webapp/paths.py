"""Where the application's files are, independent of the current folder."""

import errno
import os
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
TEMPLATES = ROOT / "webapp" / "pages" / "templates"
TRANSLATIONS = ROOT / "webapp" / "pages" / "translations"
SCRIPTS = ROOT / "cgi-bin"
UPLOADS = ROOT / "uploads"
DOWNLOADS = ROOT / "downloads"
CHANGES = UPLOADS / ".changes"  # the lock for changes of jobs' states; its mtime says when the last one was made
SPACE = UPLOADS / ".space"  # the lock for taking disk space
WORKER_LOCK = UPLOADS / ".worker"  # held by the worker as long as it runs
LINKS = UPLOADS / ".links"  # to the folders of jobs that are being separated
ARRIVALS = UPLOADS / ".arrivals"  # its mtime says when the last upload began or ended
AVAILABILITY = UPLOADS / ".unavailable"  # which models could not be fetched
LISTING_LOCK = UPLOADS / ".listing"  # held while what an engine has listed is written to a file beside it
SEPARATED_AUDIO = UPLOADS / ".separated"  # the number of seconds that have been separated


def prepare() -> None:
    """Make the folders for uploads and downloads. Raises OSError if one cannot be made or written to."""
    for folder in (UPLOADS, DOWNLOADS):
        if folder.exists() and not folder.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        folder.mkdir(mode=0o700, exist_ok=True)
        with suppress(OSError):  # an administrator may have given the folder to the server's user in another way
            folder.chmod(folder.stat().st_mode & 0o700)  # a folder that is read-only stays so
    for path in (UPLOADS, DOWNLOADS, CHANGES, SPACE, WORKER_LOCK):  # the files may belong to another user's server
        if path.exists() and not os.access(path, os.W_OK):
            raise OSError(errno.EACCES, "it is read-only, or belongs to another user", str(path))
