"""Paths for command lines that do not contain a job's id.

On many systems every user of the machine can read all command lines, and a job's id opens the job's pages. The paths
go through symbolic links with names of their own, in a folder that other users cannot look into.
"""

import os
import secrets
import shutil
from contextlib import suppress

from webapp import paths
from webapp.jobs.job import Job

JOB_VARIABLE = "JOB"  # the environment variable by which a process learns its job's id; only its own user can read it
NEW_STEMS = "new"  # the folder in a job's outdir that the engine makes and writes to


class NeutralPaths:
    """`source` and `outdir` for the command that separates `job`."""

    def __init__(self, job: Job):
        """Make the links, and the job's outdir. Raises OSError."""
        job.outdir.mkdir(exist_ok=True)
        self._folder = paths.LINKS / secrets.token_hex(8)
        source, outdir = job.folder, job.outdir
        if os.name != "nt":  # Windows shows command lines to their own user only, and allows links to few
            self._folder.mkdir(parents=True)
            source, outdir = self._folder / "in", self._folder / "out"
            source.symlink_to(job.folder)
            outdir.symlink_to(job.outdir)
        self.source = source / job.source.name
        self.outdir = outdir / NEW_STEMS

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def remove_all() -> None:
    """Remove what a killed worker has left."""
    shutil.rmtree(paths.LINKS, ignore_errors=True)


def collect_stems(job: Job) -> None:
    """Move what the engine has written to where the job's stems belong. Raises OSError."""
    with suppress(FileNotFoundError):  # moved already
        for path in (job.outdir / NEW_STEMS).iterdir():
            path.replace(job.outdir / path.name)
        (job.outdir / NEW_STEMS).rmdir()


def environment(job: Job) -> dict[str, str]:
    """The environment of a process that works for `job`."""
    return os.environ | {JOB_VARIABLE: job.id}
