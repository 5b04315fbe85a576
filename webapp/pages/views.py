"""What visitors see of a job: its pages, and its JSON for programs."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from webapp import limits
from webapp.engines import choices
from webapp.engines.engine import Progress
from webapp.errors import JobNotFound
from webapp.jobs import store, trash
from webapp.jobs.estimates import JobStatus, status_of
from webapp.jobs.job import JOB_ID, Job, JobState
from webapp.pages.addresses import address
from webapp.pages.options import about_default, options
from webapp.pages.rendering import Html, format_length, page, render
from webapp.translation import translate


def as_json(job: Job) -> dict[str, Any]:
    """A job's state, as programs get it."""
    status = status_of(job)
    return {
        "job": job.id,
        "state": str(job.state),
        "name": job.name,
        "seconds": round(job.seconds, 3),
        "model": job.model,
        "stems_wanted": job.stems_wanted,
        "format": job.format,
        "doing": activity(status.progress, job.model),
        "elapsed": round(status.elapsed, 1),
        "queue_position": status.position,
        "percent": status.percent,
        "seconds_left": status.seconds_left and round(status.seconds_left, 1),
        "progress": progress_sentence(job, status),
        "detail": detail_sentence(job, status),
        "note": note(job),
        "error": translate(job.error),
        "stems": [{"name": name, "url": download_url(job, name)} for name in job.stems()],
    }


def home_page(deleted: str = "") -> str:
    """The page on which files are sent. `deleted` is the job that was deleted a moment ago, if there is one."""
    limit = limits.current()
    sentence = translate(
        "Mono, stereo or surround, any sample rate and bit depth, up to {hours} hours and {limit} GB.",
        hours=f"{limit.max_song_hours:g}",
        limit=f"{limit.max_upload_gb:g}",
    )
    return page(
        "index.html",
        max_bytes=limit.max_upload_bytes,
        limits=sentence,
        notice=deletion_notice(deleted),
        options=_options_or_nothing(),
    )


def uploaded_page(job: Job) -> str:
    return page(
        "uploaded.html",
        job=job.id,
        name=job.name,
        length=format_length(job.seconds),
        note=note(job),
        about_default=about_default(),
        options=options(),
    )


def job_page(job: Job) -> str:
    """The page of a pending job, with its progress, or of a failed one, with the reason."""
    if job.state == JobState.FAILED:
        return _failed_page(job)
    status = status_of(job)
    return page(
        "job.html",
        job=job.id,
        name=job.name,
        title=_title(job, status),
        heading=_heading(job),
        percent=round(status.percent),
        progress=progress_sentence(job, status),
        detail=detail_sentence(job, status),
        note=note(job),
    )


def moment(seconds: float) -> dict[str, str]:
    """A Unix time for a <time>: its machine-readable form, and the server's date for pages without JavaScript."""
    local = datetime.fromtimestamp(seconds).astimezone()
    return {"moment": local.isoformat(timespec="seconds"), "date": local.strftime("%Y-%m-%d %H:%M %z")}


def deletion_notice(job_id: str, back: str = "") -> Html:
    """A line that says that a job was deleted, with a button that restores it as long as that is possible.

    `back` is the value of the field `back`, for `response.redirect_back`. Empty if there is such a job.
    """
    if job := trash.find(job_id):
        sentence = translate("{name} was deleted from this machine.", name=job.name)
        return render("deletion/notice.html", sentence=sentence, job=job_id, back=back)
    with suppress(JobNotFound):
        store.load(job_id)
        return Html()
    return render("deletion/final.html") if JOB_ID.fullmatch(job_id) else Html()


def stem_url(job: Job, name: str) -> str:
    """The address of a stem as it stands on the disk."""
    return address(f"/downloads/{job.id}/{name}.wav")


def download_url(job: Job, name: str) -> str:
    """The address of a stem in the job's own format."""
    return address(f"/downloads/{job.id}/{name}.{job.format}")


def note(job: Job) -> str:
    """What a visitor should know about this job besides its state."""
    sentences = [translate(job.note, **job.note_values)]
    remarks = job.source_remarks | job.stem_remarks
    sentences += [translate(remark, **values) for remark, values in remarks.items()]
    if job.cut_off:
        sentences.insert(
            0, translate("The file ends before its header says so. What there is of it will be separated.")
        )
    return " ".join(filter(None, sentences))


def progress_sentence(job: Job, status: JobStatus) -> str:
    """A pending job's place in the queue, or its progress; empty for any other job."""
    if job.state == JobState.QUEUED:
        return _queue_sentence(status)
    if job.state != JobState.RUNNING:
        return ""
    if status.progress.doing == "fetching":
        return translate("Downloading the model {model}, {megabytes} MB.", **_model_size(status.progress, job.model))
    if status.progress.doing == "waiting":
        return translate("Waiting for a machine that separates it.")
    if status.seconds_left is None:
        return translate("Preparing.")
    return translate(
        "{percent} % done, about {duration} left.",
        percent=round(status.percent),
        duration=_duration(status.seconds_left),
    )


def detail_sentence(job: Job, status: JobStatus) -> str:
    """What a running job does status, and for how long it has run."""
    if job.state != JobState.RUNNING:
        return ""
    duration, doing = _duration(status.elapsed), activity(status.progress, job.model)
    if doing:
        return translate("Now: {doing}. Elapsed: {duration}.", doing=doing, duration=duration)
    return translate("Elapsed: {duration}.", duration=duration)


def activity(progress: Progress, model: str) -> str:
    """What a separation does now; empty if that is not known."""
    return {
        "": "",
        "waiting": "",
        "fetching": translate("downloading the model {model}, {megabytes} MB", **_model_size(progress, model)),
        "separating": translate("separating"),
        "writing": translate("writing"),
    }[progress.doing]


def _options_or_nothing() -> Html:
    """The options for the home page, which the server renders itself, and without which it works too."""
    choices.renew()
    try:
        return options(about_default())
    except OSError:
        return Html()


def _failed_page(job: Job) -> str:
    """A failed job, with the options, and first of all the models that are here if the weights of its own are not."""
    others = [choice.name for choice in choices.ready(job.stems_wanted) if choice.name != job.model]
    return page(
        "failed.html",
        job=job.id,
        name=job.name,
        error=translate(job.error),
        others=_other_models(job, others) if job.lacks_weights and others else Html(),
        about_default=about_default(),
        options=options(),
    )


def _other_models(job: Job, names: Sequence[str]) -> Html:
    sentence = translate("On this machine are: {models}.", models=", ".join(names))
    button = translate("Separate with {model}", model=names[0])
    return render(
        "other_models.html", job=job.id, model=names[0], stems=job.stems_wanted, sentence=sentence, button=button
    )


def _title(job: Job, status: JobStatus) -> str:
    return f"{status.percent:.0f} % – {job.name}" if job.state == JobState.RUNNING else f"{_heading(job)}: {job.name}"


def _heading(job: Job) -> str:
    return {
        JobState.QUEUED: translate("Waiting"),
        JobState.RUNNING: translate("Separating"),
        JobState.CANCELLED: translate("Deleted"),
    }[job.state]


def _model_size(progress: Progress, model: str) -> dict[str, object]:
    return {"model": model, "megabytes": round(float(progress.megabytes or 0))}


def _queue_sentence(status: JobStatus) -> str:
    place = translate("Number {position} in the queue.", position=status.position)
    if status.position == 1:
        place = translate("It is the next one.")
    if status.seconds_left is None:
        return place
    return f"{place} {translate('Done in about {duration}.', duration=_duration(status.seconds_left))}"


def _duration(seconds: float) -> str:
    if seconds < 55:
        return translate("{seconds} s", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return translate("{minutes} min", minutes=minutes)
    return translate("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
