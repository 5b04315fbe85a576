"""The queue of jobs: how a job gets into it, and the order in which jobs are separated."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress

from webapp.audio import export_formats, wav_format
from webapp.engines import choices
from webapp.engines.choices import TWO_STEMS
from webapp.errors import AlreadySeparated, ChoiceError, DiskFull, JobNotFound
from webapp.jobs import catalogue, disk_space, store
from webapp.jobs.job import DEFAULT_FORMAT, FORMATS, Job, JobState
from webapp.translation import translate


def enqueue(job_id: str, model: str = "", stems: str = "", format: str = "") -> Job:
    """Put an uploaded or failed job at the end of the queue. A job in any other state stays as it is.

    A choice that is empty is the default. `format` is that of the downloads, if they do not ask for another. Raises
    JobNotFound, ChoiceError if the choices cannot be used, DiskFull if the stems would not fit on the disk, and
    AlreadySeparated if the job is in another state with other choices.
    """
    job = store.load(job_id)
    wanted = {"model": model, "stems": stems, "format": format}
    stems, format = stems or TWO_STEMS, format or DEFAULT_FORMAT
    choice = choices.choose(model or choices.default_choice(stems).name, stems)
    _check_format(job, format)
    check_unchanged(job, **wanted)
    with disk_space.one_at_a_time():
        job = store.load(job_id)
        if not job.can_be_queued:
            return job
        disk_space.check(_needed_bytes(job, stems))  # may remove deleted jobs, for which it takes the lock on states
        with store.changing(job_id) as job:
            if job.can_be_queued:
                job.move_to(JobState.QUEUED)
                job.attempts, job.error, job.lacks_weights, job.note, job.note_values = 0, "", False, "", {}
                job.engine, job.model, job.targets = choice.engine, choice.name, list(choice.targets)
                job.stems_wanted, job.format = stems, format
                job.queue_number = 1 + max(other.queue_number for other in catalogue.all_jobs())
    return job


def enqueue_upload(job_id: str, model: str, stems: str, format: str) -> Job:
    """Put a job that was just uploaded into the queue. If that is not possible, its note says why. Raises JobNotFound.

    The file is not refused: it may have taken hours to send.
    """
    try:
        return enqueue(job_id, model, stems, format)
    except (ChoiceError, DiskFull) as error:
        with store.changing(job_id) as job:
            job.note = error.sentence
        return job


def cancel(job_id: str) -> Job:
    """Take a pending job out of the queue: it is as it was after its upload. The worker ends its separation, if there
    is one. A job in any other state stays as it is. Raises JobNotFound.
    """
    with store.changing(job_id) as job:
        if job.is_pending:
            job.move_to(JobState.UPLOADED)
            job.attempts, job.note, job.note_values = 0, "", {}
    return job


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Those of `jobs` that are queued, the next one first."""
    return sorted((job for job in jobs if job.state == JobState.QUEUED), key=_queue_number)


def nb_ahead(job: Job, queued: Sequence[Job]) -> int:
    """How many of the jobs `queued`, which are in order, come before `job`."""
    return bisect_left(queued, job.queue_number, key=_queue_number)


def _check_format(job: Job, format: str) -> None:
    """Raise ChoiceError if the stems could not be downloaded in this format."""
    if format not in FORMATS:
        raise ChoiceError(
            translate("The stems can be WAV or FLAC here. Other formats can be chosen when they are downloaded.")
        )
    with suppress(OSError, ValueError):  # a source that is not WAV; the download will check the stems
        found = wav_format.read(job.source)
        chosen = export_formats.find(format)
        chosen.speakers_for(found.nb_channels, found.speakers)
        chosen.output_rate("", found.sample_rate)


def check_unchanged(job: Job, model: str, stems: str, format: str) -> None:
    """Raise AlreadySeparated if the job is past its upload, and something else was wanted of it then than now."""
    wanted = {"model": job.note_values.get("model", job.model), "stems": job.stems_wanted, "format": job.format}
    if "model" in job.note_values:
        del wanted["stems"]  # the replacement of the model may have replaced them too
    now = {"model": model, "stems": stems, "format": format}
    if job.can_be_queued or all(now[name] in ("", value) for name, value in wanted.items()):
        return
    if job.is_done:
        sentence = translate(
            "This song is separated already, with the model {model}. To separate it differently, run it again from your"
            " songs (for programs: again.py).",
            model=job.model,
        )
    else:
        sentence = translate(
            "This song is being separated already, with the model {model}. To separate it differently, cancel that"
            " first.",
            model=job.model,
        )
    raise AlreadySeparated(sentence)


def _queue_number(job: Job) -> int:
    return job.queue_number


def _needed_bytes(job: Job, stems: str) -> int:
    try:
        return disk_space.needed(job, stems)
    except FileNotFoundError:
        raise JobNotFound from None
