"""What a job looks like from outside: its JSON and its pages."""

import os

from webapp import queue
from webapp.jobs import Job
from webapp.pages import length, page

CUT_OFF = "The file ends before its header says so; it will be separated as far as it goes."
STATES = {
    "queued": "Waiting",
    "running": "Separating",
    "failed": "The separation failed",
    "cancelled": "Deleted",
}


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
        "doing": standing.doing,
        "elapsed": round(standing.elapsed, 1),
        "queue_position": standing.position,
        "percent": standing.percent,
        "seconds_left": standing.seconds_left,
        "progress": progress_sentence(job, standing),
        "note": note(job),
        "error": job.error,
        "stems": [{"name": name, "url": stem_url(job, name)} for name in job.stems()],
    }


def uploaded_page(job: Job) -> str:
    return page("uploaded.html", job=job.id, name=job.name, length=length(job.seconds), note=note(job))


def job_page(job: Job) -> str:
    """The page of a job that waits or runs, or what went wrong with it."""
    if job.state == "failed":
        return page("failed.html", job=job.id, name=job.name, error=job.error)
    standing = queue.standing(job)
    return page(
        "job.html",
        job=job.id,
        name=job.name,
        heading=STATES[job.state],
        percent=round(standing.percent),
        progress=progress_sentence(job, standing),
        note=note(job),
    )


def download_page(job: Job) -> str:
    return page(
        "download.html",
        job=job.id,
        name=job.name,
        length=length(job.seconds),
        vocals=stem_url(job, "vocals"),
        music=stem_url(job, "music"),
        model=job.model,
        hours=f"{float(os.environ['KEEP_HOURS']):g}",
        note=note(job),
    )


def stem_url(job: Job, name: str) -> str:
    return f"/downloads/{job.id}/{name}.{job.format}"


def note(job: Job) -> str:
    """What a visitor should know of this job beside its state."""
    return " ".join(filter(None, (CUT_OFF if job.cut_off else "", job.note)))


def progress_sentence(job: Job, standing: queue.Standing) -> str:
    """Where a job stands, in words."""
    if job.state == "queued":
        return "It is the next one." if standing.position == 1 else f"Number {standing.position} in the queue."
    if job.state != "running":
        return ""
    if standing.seconds_left is None:
        return "Getting ready."
    return f"{standing.percent:.0f} % done, about {_duration(standing.seconds_left)} left."


def _duration(seconds: float) -> str:
    if seconds < 55:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
