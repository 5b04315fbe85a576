"""Jobs: a folder each with a name that nobody guesses, and one small state file, replaced atomically.

uploaded → queued → running → done | failed | cancelled. There is no other database.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from http import HTTPStatus
from pathlib import Path

from webapp import engines, locks
from webapp.engine import Engine
from webapp.engines import DEFAULT_ENGINE, DEFAULT_FORMAT, DEFAULT_MODEL, TWO_STEMS
from webapp.folders import CHANGES, DOWNLOADS, UPLOADS
from webapp.refusal import Refusal
from webapp.words import say

SOURCE = "song.wav"  # the file as it was sent, in its job's folder
ID = re.compile(r"[0-9a-f]{32}")


@dataclass
class Job:
    """One file on its way. `name` is what the visitor's file was called: to be shown, never to be used as a path."""

    id: str
    state: str
    name: str
    seconds: float  # of audio
    cut_off: bool = False  # the file holds less than its header promises
    engine: str = DEFAULT_ENGINE
    model: str = DEFAULT_MODEL
    stems_wanted: str = TWO_STEMS
    format: str = DEFAULT_FORMAT  # of the stems
    visitor: str = ""  # SHA-256 in hexadecimal of the cookie of whom it belongs to
    address: str = ""  # of the network that it was sent from, "" for this machine
    again_of: str = ""  # the first job over the same source, if this is a later one
    queue_number: int = 0
    attempts: int = 0
    created: float = 0.0  # Unix time, s
    started: float = 0.0  # Unix time, s
    begun: float = 0.0  # when it was ready to separate, the model loaded; Unix time, s
    finished: float = 0.0  # Unix time, s
    note: str = ""  # one line for the page, with blanks for the note's values
    note_values: dict[str, str] = field(default_factory=dict)
    error: str = ""  # why it failed, one sentence

    @property
    def folder(self) -> Path:
        return UPLOADS / self.id

    @property
    def source(self) -> Path:
        return self.folder / SOURCE

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def running_lock(self) -> Path:
        """Held by the worker and by the separation itself, as long as one of them lives."""
        return self.folder / ".running"

    @property
    def outdir(self) -> Path:
        return DOWNLOADS / self.id

    def stems(self) -> dict[str, Path]:
        """The finished stems: the name on the page → the file."""
        if self.state != "done" or self.engine not in engines.table():
            return {}
        files = self.separator().files(self.model, self.stems_wanted, self.format)
        return {name: self.outdir / path for name, path in files.items()}

    def separator(self) -> Engine:
        return engines.get(self.engine)

    def command(self) -> list[str]:
        """The argument list that separates it."""
        engine = self.separator()
        return [
            *engine.arguments(self.source, self.model, self.outdir, self.stems_wanted, self.format),
            *engine.warm,
        ]


FIELDS = frozenset(field.name for field in fields(Job))


def load(job_id: str) -> Job:
    """Read a job's state. Raises Refusal (404) if there is no such job."""
    if not ID.fullmatch(job_id):
        raise no_such_job()
    try:
        state = json.loads((UPLOADS / job_id / "state.json").read_text("utf-8"))
        return Job(**{key: value for key, value in state.items() if key in FIELDS})
    except (OSError, ValueError, TypeError, AttributeError):  # not there, or damaged
        raise no_such_job() from None


def load_done(job_id: str) -> Job:
    """Read the state of a job that has its stems. Raises Refusal (404)."""
    job = load(job_id)
    if not job.stems():
        raise Refusal(HTTPStatus.NOT_FOUND, say("There are no separated files of this song yet."))
    return job


def save(job: Job) -> None:
    """Replace a job's state atomically; once this returns, neither a kill nor a power cut loses it."""
    beside = job.folder / "state.json.new"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(asdict(job), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(job.folder / "state.json")
    sync(job.folder)


@contextmanager
def changing(job_id: str) -> Iterator[Job]:
    """Read a job, let the caller change it, and save it, with nobody else between. Raises Refusal (404)."""
    with locks.exclusive(CHANGES):
        job = load(job_id)
        yield job
        save(job)


def delete(job_id: str) -> Job:
    """Delete a job and its files; one that runs is marked, and the worker ends and deletes it. Raises Refusal (404)."""
    with locks.exclusive(CHANGES):
        job = load(job_id)
        running = job.state in ("running", "cancelled")  # cancelled, and the worker may not have seen it yet
        if running:
            job.state = "cancelled"
            save(job)
        else:
            _discard(job)
    return job


def is_expired(job: Job, keep_seconds: float) -> bool:
    """Whether a job neither waits nor runs, and was last used more than `keep_seconds` ago."""
    return job.state not in ("queued", "running") and time.time() - last_use(job) > keep_seconds


def expire(job_id: str, keep_seconds: float) -> bool:
    """Delete a job if its time is up, which may have changed since the caller looked. Raises Refusal (404)."""
    with locks.exclusive(CHANGES):
        job = load(job_id)
        expired = is_expired(job, keep_seconds)
        if expired:
            _discard(job)
    return expired


def _discard(job: Job) -> None:
    """Delete a job that does not run. It is marked first, so that the worker ends what a kill interrupts."""
    job.state = "cancelled"
    with suppress(OSError):  # a full disk must not keep anybody from making room
        save(job)
    remove(job.id)


def remove(job_id: str) -> None:
    """Remove a job's files. The state goes last: what a kill leaves in the middle is still somebody's."""
    shutil.rmtree(DOWNLOADS / job_id, ignore_errors=True)
    folder = UPLOADS / job_id
    for path in folder.glob("*"):
        if path.name != "state.json":
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def last_use(job: Job) -> float:
    """When a job last changed or was last downloaded from, Unix time in seconds."""
    times = [(job.folder / "state.json").stat().st_mtime]
    if job.outdir.exists():
        times.append(job.outdir.stat().st_mtime)
    return max(times)


def touch(job: Job) -> None:
    """Note that a job is being downloaded from."""
    with suppress(OSError):  # deleted meanwhile; whoever opens the file will tell
        os.utime(job.outdir)


def sync(*paths: Path) -> None:
    """Wait until these files, and the names in these folders, are on the disk for good. Raises OSError."""
    if os.name == "nt":
        return  # Windows cannot open a folder; its rename is in the journal
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def no_such_job() -> Refusal:
    return Refusal(
        HTTPStatus.NOT_FOUND, say("There is no such file here. It may have been deleted after its time was up.")
    )
