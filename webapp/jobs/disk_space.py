"""Disk space: checked before a file is stored, and reported in one sentence when it runs out."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from webapp import limits, locks, paths
from webapp.engines.choices import STEM_NAMES
from webapp.errors import DiskFull
from webapp.jobs import catalogue, trash
from webapp.jobs.job import JOB_ID, Job
from webapp.translation import translate

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the last one is the limit of `ulimit -f`
INCOMING = ".incoming"  # a lock in the folder of an upload, held while it arrives, and how many bytes it may take


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let no other process check for space between the check in the block and what makes it count."""
    with locks.exclusive(paths.SPACE):
        yield


def reserve(folder: Path, nb_bytes: int) -> None:
    """Let the upload in `folder`, whose lock this process holds, take up to `nb_bytes`. Raises DiskFull, OSError."""
    with one_at_a_time():
        check(nb_bytes - _announced(folder))
        (folder / INCOMING).write_bytes(b"%d" % nb_bytes)


def check(nb_bytes: int) -> None:
    """Raise DiskFull if `nb_bytes` more do not fit on the disk, or in the share of it that songs may take.

    What will be uploaded, and the stems of the jobs that are queued or running, count as if they were there already.
    Deleted jobs that could still be restored are removed if their space is needed. That takes the lock
    `paths.CHANGES`, which this process must not hold.
    """
    try:
        _check(nb_bytes)
    except DiskFull:
        if not trash.empty():
            raise
        _check(nb_bytes)


def _check(nb_bytes: int) -> None:
    limit = limits.current()
    disk = shutil.disk_usage(paths.UPLOADS)
    nb_bytes += reserved() + _to_be_uploaded()
    if disk.free < nb_bytes + limit.spare_disk_bytes:
        raise DiskFull
    if used() + nb_bytes > disk.total * limit.max_disk_percent / 100:
        raise DiskFull(
            translate(
                "The songs on this machine take all the disk space that they may take. "
                "Please delete one, or try again later."
            )
        )


def used() -> int:
    """The number of bytes of all songs and stems. A source that several jobs share counts once."""
    sizes = {}
    for path in _files():
        with suppress(OSError):  # deleted in the meantime
            found = path.stat()
            sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def reserved() -> int:
    """The number of bytes that the stems of all pending jobs will take at most."""
    nb_bytes = 0
    for job in catalogue.all_jobs():
        if job.is_pending:
            with suppress(OSError):  # deleted in the meantime
                nb_bytes += needed(job, job.stems_wanted)
    return nb_bytes


def needed(job: Job, stems: str) -> int:
    """The number of bytes that the stems of a job will take, and the decoded upload. Raises FileNotFoundError."""
    if job.must_be_decoded:
        return (1 + len(STEM_NAMES[stems])) * job.wav_bytes
    return len(STEM_NAMES[stems]) * job.source.stat().st_size


def _to_be_uploaded() -> int:
    """The number of bytes that are reserved for uploads and have not arrived yet."""
    known = {job.id for job in catalogue.all_jobs()}
    folders = [Path(entry) for entry in os.scandir(paths.UPLOADS) if JOB_ID.fullmatch(entry.name)]
    return sum(
        max(0, _announced(folder) - _bytes_in(folder))
        for folder in folders
        if folder.name not in known and locks.is_held(folder / INCOMING)
    )


def _announced(folder: Path) -> int:
    try:
        return int((folder / INCOMING).read_bytes() or 0)
    except (OSError, ValueError):
        return 0


def _bytes_in(folder: Path) -> int:
    with suppress(OSError):  # deleted in the meantime
        return sum(entry.stat().st_size for entry in os.scandir(folder))
    return 0


@contextmanager
def writing() -> Iterator[None]:
    """Raise DiskFull if the block fails because the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFull from error
        raise


def _files() -> Iterator[Path]:
    for top in (paths.UPLOADS, paths.DOWNLOADS):
        for folder, _, names in os.walk(top):
            yield from (Path(folder, name) for name in names)
