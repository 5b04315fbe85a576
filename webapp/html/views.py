"""What a job looks like from outside: its JSON and its pages."""

from webapp import limits, queue
from webapp.engine import Progress
from webapp.html.options import options
from webapp.html.pages import length, page
from webapp.jobs import Job
from webapp.words import say


def as_json(job: Job) -> dict:
    """A job's state, as programs get it."""
    standing = queue.standing(job)
    return {
        "job": job.id,
        "state": job.state,
        "name": job.name,
        "seconds": round(job.seconds, 3),
        "model": job.model,
        "stems_wanted": job.stems_wanted,
        "format": job.format,
        "doing": doing(standing.progress, job.model),
        "elapsed": round(standing.elapsed, 1),
        "queue_position": standing.position,
        "percent": standing.percent,
        "seconds_left": standing.seconds_left and round(standing.seconds_left, 1),
        "progress": progress_sentence(job, standing),
        "detail": detail_sentence(job, standing),
        "note": note(job),
        "error": say(job.error),
        "stems": [{"name": name, "url": stem_url(job, name)} for name in job.stems()],
    }


def home_page() -> str:
    most = limits.in_force()
    sentence = say(
        "Mono, stereo or surround, any sample rate and bit depth, up to {hours} hours and {limit} GB.",
        hours=f"{most.max_song_hours:g}",
        limit=f"{most.max_upload_gb:g}",
    )
    return page("index.html", max_bytes=most.max_upload_bytes, limits=sentence)


def uploaded_page(job: Job) -> str:
    return page(
        "uploaded.html", job=job.id, name=job.name, length=length(job.seconds), note=note(job), options=options()
    )


def job_page(job: Job) -> str:
    """The page of a job that waits or runs, or what went wrong with it."""
    if job.state == "failed":
        return page("failed.html", job=job.id, name=job.name, error=say(job.error), options=options())
    standing = queue.standing(job)
    return page(
        "job.html",
        job=job.id,
        name=job.name,
        title=_title(job, standing),
        heading=_heading(job),
        percent=round(standing.percent),
        progress=progress_sentence(job, standing),
        detail=detail_sentence(job, standing),
        note=note(job),
    )


def stem_url(job: Job, name: str) -> str:
    return f"/downloads/{job.id}/{name}.{job.format}"


def note(job: Job) -> str:
    """What a visitor should know of this job beside its state."""
    cut_off = say("The file ends before its header says so; it will be separated as far as it goes.")
    return " ".join(filter(None, (cut_off if job.cut_off else "", say(job.note, **job.note_values))))


def progress_sentence(job: Job, standing: queue.Standing) -> str:
    """Where a job stands, in words."""
    if job.state == "queued":
        return _place(standing)
    if job.state != "running":
        return ""
    if standing.progress.doing == "fetching":
        return say("Fetching the model {model}, {megabytes} MB.", **_model_size(standing.progress, job.model))
    if standing.seconds_left is None:
        return say("Getting ready.")
    return say(
        "{percent} % done, about {duration} left.",
        percent=round(standing.percent),
        duration=_duration(standing.seconds_left),
    )


def detail_sentence(job: Job, standing: queue.Standing) -> str:
    """What a running job does now, and for how long it has been at work."""
    if job.state != "running":
        return ""
    duration, now = _duration(standing.elapsed), doing(standing.progress, job.model)
    if now:
        return say("Now: {doing}. So far: {duration}.", doing=now, duration=duration)
    return say("So far: {duration}.", duration=duration)


def _title(job: Job, standing: queue.Standing) -> str:
    return f"{standing.percent:.0f} % – {job.name}" if job.state == "running" else f"{_heading(job)}: {job.name}"


def _heading(job: Job) -> str:
    return {"queued": say("Waiting"), "running": say("Separating"), "cancelled": say("Deleted")}[job.state]


def doing(progress: Progress, model: str) -> str:
    """What a separation does now, in words; empty if nothing can be said."""
    return {
        "": "",
        "fetching": say("fetching the model {model}, {megabytes} MB", **_model_size(progress, model)),
        "separating": say("separating"),
        "writing": say("writing"),
    }[progress.doing]


def _model_size(progress: Progress, model: str) -> dict[str, object]:
    return {"model": model, "megabytes": round(float(progress.megabytes or 0))}


def _place(standing: queue.Standing) -> str:
    place = say("Number {position} in the queue.", position=standing.position)
    if standing.position == 1:
        place = say("It is the next one.")
    if standing.seconds_left is None:
        return place
    return f"{place} {say('Done in about {duration}.', duration=_duration(standing.seconds_left))}"


def _duration(seconds: float) -> str:
    if seconds < 55:
        return say("{seconds} s", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return say("{minutes} min", minutes=minutes)
    return say("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
