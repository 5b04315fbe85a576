"""What a visitor's own songs look like: the page "Your songs", and its JSON."""

import time
from datetime import datetime, timezone

from webapp import engines, jobs, limits, queue, songs
from webapp.engines import FOUR_STEMS, TWO_STEMS, Choice
from webapp.html import views
from webapp.html.pages import Html, length, page, part
from webapp.jobs import Job
from webapp.words import say

WAITS_OR_RUNS = ("queued", "running")
REFRESH = Html('<noscript><meta http-equiv="refresh" content="5"></noscript>')


def as_json(mine: list[Job]) -> dict:
    """The songs as programs get them: each as its job is, when it is deleted, and with which it can be compared."""
    return {"songs": [views.as_json(job) | _more(job, mine) for job in mine]}


def songs_page(mine: list[Job]) -> str:
    busy = any(job.state in WAITS_OR_RUNS for job in mine)
    return page("songs.html", refresh=REFRESH if busy else "", songs=_table(mine) if mine else part("songs/none.html"))


def _more(job: Job, mine: list[Job]) -> dict:
    expires = _expires(job)
    return {
        "expires": expires and datetime.fromtimestamp(round(expires), timezone.utc).isoformat(),
        "comparable": [other.id for other in songs.comparable(job, mine)],
    }


def _expires(job: Job) -> float | None:
    """When a job is deleted if nobody uses it before, Unix time in seconds; None while it waits or runs."""
    if job.state in WAITS_OR_RUNS:
        return None
    return jobs.last_use(job) + 3600 * limits.in_force().keep_hours


def _table(mine: list[Job]) -> Html:
    several = sum(job.state == "uploaded" for job in mine) > 1
    rows = Html("\n".join(_row(job, mine) for job in mine))
    return part("songs/table.html", rows=rows, separate_all=part("songs/all.html") if several else "")


def _row(job: Job, mine: list[Job]) -> Html:
    return part(
        "songs/song.html",
        job=job.id,
        name=job.name,
        length=length(job.seconds),
        state=job.state,
        progress=_progress(job),
        model="" if job.state == "uploaded" else job.model,
        stems="" if job.state == "uploaded" else stems_in_words(job.stems_wanted),
        expires=_expires_in_words(job),
        actions=_actions(job, mine),
        delete=say("Cancel") if job.state in WAITS_OR_RUNS else say("Delete"),
    )


def _progress(job: Job) -> str:
    if job.state in WAITS_OR_RUNS:
        return views.progress_sentence(job, queue.standing(job))
    return {"uploaded": say("Uploaded"), "done": say("Separated"), "failed": say("Not separated")}[job.state]


def stems_in_words(stems_wanted: str) -> str:
    return say("vocals, drums, bass, other") if stems_wanted == FOUR_STEMS else say("vocals and music")


def _expires_in_words(job: Job) -> Html | str:
    moment = _expires(job)
    if moment is None:
        return ""
    local = datetime.fromtimestamp(moment).astimezone()
    return part(
        "songs/expires.html",
        moment=local.isoformat(timespec="seconds"),
        words=_in(moment - time.time()),
        date=local.strftime("%Y-%m-%d %H:%M"),
    )


def _in(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return say("in {minutes} min", minutes=minutes) if minutes < 60 else say("in {hours} h", hours=round(minutes / 60))


def _actions(job: Job, mine: list[Job]) -> Html:
    if job.state == "uploaded":
        return part("songs/separate.html", job=job.id)
    if job.state in WAITS_OR_RUNS:
        return Html()
    compare = [_compare(job, other) for other in songs.comparable(job, mine)]
    return Html("\n".join([*compare, _again(job)]))


def _compare(job: Job, other: Job) -> Html:
    return part("songs/compare.html", job=job.id, other=other.id, model=other.model)


def _again(job: Job) -> Html:
    models = [_option(one.name, _model(one), job.model) for one in engines.choices() if not one.install]
    stems = [_option(number, stems_in_words(number), job.stems_wanted) for number in (TWO_STEMS, FOUR_STEMS)]
    return part(
        "songs/again.html", job=job.id, format=job.format, models=Html("".join(models)), stems=Html("".join(stems))
    )


def _model(choice: Choice) -> str:
    return choice.name if FOUR_STEMS in choice.stems else f"{choice.name} ({stems_in_words(TWO_STEMS)})"


def _option(value: str, words: str, selected: str) -> Html:
    return part("songs/option.html", value=value, words=words, selected=" selected" if value == selected else "")
