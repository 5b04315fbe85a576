"""What must hold after any fault: acknowledged jobs are complete, no file lacks an owner, and no job ran twice."""

import contextlib
from collections.abc import Iterator

from study.robustness.crash_operations import GONE, OVERLAP_NOTE, JobIds, Promises
from study.robustness.sample_song import SONG
from webapp.errors import JobNotFound
from webapp.jobs import store
from webapp.jobs.job import Job
from webapp.paths import DOWNLOADS, LINKS, ROOT, UPLOADS

PICTURE_BYTES = {"peaks": 16000, "spectrogram": 128000}


def failures(before: JobIds, promises: Promises) -> Iterator[str]:
    """Yield a description of everything that must hold and does not."""
    expected = {before[state]: state for state in ("uploaded", "done")} | promises
    for job_id, state in expected.items():
        yield from _job_failures(job_id, state, job_id in promises)
    for folder in UPLOADS.iterdir():
        if folder.is_dir() and folder != LINKS and not _state(folder.name):
            yield f"a folder without an owner in uploads, with {sorted(path.name for path in folder.iterdir())}"
    yield from ("a link that is left" for _ in (LINKS.iterdir() if LINKS.exists() else ()))
    yield from ("a folder without an owner in downloads" for folder in DOWNLOADS.iterdir() if not _state(folder.name))
    overlaps = [note for note in ROOT.glob(f"{OVERLAP_NOTE.name}.*") if note.suffix != ".lock"]
    yield from ("a job ran twice at the same time" for _ in overlaps)


def _job_failures(job_id: str, state: str, is_promised: bool) -> Iterator[str]:
    current = _state(job_id)
    if state == GONE:
        if current:
            yield f"was deleted, but is still {current}"
    elif current:
        yield from _file_failures(store.load(job_id))
    elif is_promised:
        yield f"was acknowledged as {state}, but is gone"


def _file_failures(job: Job) -> Iterator[str]:
    if not job.source.is_file() or job.source.read_bytes() != SONG:
        yield "the source is missing or has changed"
    if job.state == "failed" and not job.error:
        yield "failed without an error message"
    if job.state in ("queued", "running", "cancelled"):
        yield f"remains {job.state}"
    for path in job.stems().values():
        if not path.is_file() or path.stat().st_size < len(SONG):
            yield f"done without {path.name}"
    for kind, nb_bytes in PICTURE_BYTES.items():
        corrupted = [path.name for path in job.outdir.glob(f"*.{kind}") if path.stat().st_size != nb_bytes]
        yield from (f"{name} is corrupted" for name in corrupted)


def _state(job_id: str) -> str:
    """Return the state of a job, or an empty string if it does not exist."""
    with contextlib.suppress(JobNotFound):
        return str(store.load(job_id).state)
    return ""
