"""The page "Your songs", which lists a visitor's own jobs, and its JSON for programs."""

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from webapp import limits
from webapp.engines.choices import BEST_TWO_STEMS, FOUR_STEMS, STEM_NAMES, TWO_STEMS, all_choices
from webapp.jobs import store
from webapp.jobs.estimates import status_of
from webapp.jobs.job import Job, JobState
from webapp.jobs.visitor_jobs import comparable, run_number
from webapp.pages import views
from webapp.pages.options import about_default, options
from webapp.pages.rendering import Html, format_length, join, page, render
from webapp.translation import translate

Pair = tuple[str, str]  # a model and the stems to make

REFRESH = Html('<noscript><meta http-equiv="refresh" content="5"></noscript>')


def as_json(jobs: Sequence[Job]) -> dict[str, Any]:
    """The jobs as programs get them: each with its state, its expiry, and the jobs it can be compared with."""
    return {"songs": [views.as_json(job) | _details(job, jobs) for job in jobs]}


def songs_page(jobs: Sequence[Job], deleted: str = "") -> str:
    """The page with `jobs`, newest first. `deleted` is the job that was deleted a moment ago, if there is one."""
    pending = any(job.is_pending for job in jobs)
    songs = _table(jobs) if jobs else render("songs/none.html")
    notice = views.deletion_notice(deleted, back="songs")
    return page("songs.html", refresh=REFRESH if pending else "", notice=notice, songs=songs)


def stems_in_words(stems_wanted: str) -> str:
    return {
        TWO_STEMS: translate("vocals and music"),
        BEST_TWO_STEMS: translate("vocals and music, best quality"),
        FOUR_STEMS: translate("vocals, drums, bass, other"),
    }[stems_wanted]


def _details(job: Job, jobs: Sequence[Job]) -> dict[str, Any]:
    expires = _expires(job)
    return {
        "expires": expires and datetime.fromtimestamp(round(expires), timezone.utc).isoformat(),
        "comparable": [other.id for other in comparable(job, jobs)],
    }


def _expires(job: Job) -> float | None:
    """When a job is deleted if nobody uses it before, as Unix time in seconds; None for a pending job."""
    if job.is_pending:
        return None
    return store.last_use(job) + 3600 * limits.current().keep_hours


def _table(jobs: Sequence[Job]) -> Html:
    return render("songs/table.html", rows=join([_row(job, jobs) for job in jobs]), separate_all=_separate_all(jobs))


def _separate_all(jobs: Sequence[Job]) -> Html:
    """A form that separates all songs that wait for it, in the order in which they were sent; empty if it is one."""
    waiting = [job for job in reversed(jobs) if job.state == JobState.UPLOADED]
    if len(waiting) < 2:
        return Html()
    fields = join([render("songs/all_job.html", job=job.id) for job in waiting])
    return render("songs/all.html", jobs=fields, options=options(about_default()))


def _row(job: Job, jobs: Sequence[Job]) -> Html:
    return render(
        "songs/song.html",
        job=job.id,
        name=job.name,
        length=format_length(job.seconds),
        state=job.state,
        progress=_state_in_words(job),
        separation=_separation(job, jobs),
        expires=_expires_in_words(job),
        actions=_actions(job, jobs),
        **views.moment(job.created),
    )


def _separation(job: Job, jobs: Sequence[Job]) -> Html:
    """The model and the stems of a job, and which of several separations of one song it is; empty before SEPARATE."""
    if job.state == JobState.UPLOADED:
        return Html()
    about, number = stems_in_words(job.stems_wanted), run_number(job, jobs)
    if number:
        about = translate("{stems}, run {number}", stems=about, number=number)
    return render("songs/separation.html", model=job.model, about=about)


def _state_in_words(job: Job) -> str:
    if job.is_pending:
        return views.progress_sentence(job, status_of(job))
    return {
        JobState.UPLOADED: translate("Uploaded"),
        JobState.DONE: translate("Separated"),
        JobState.FAILED: translate("Not separated"),
    }[job.state]


def _expires_in_words(job: Job) -> Html | str:
    moment = _expires(job)
    if moment is None:
        return ""
    return render("songs/expires.html", words=_time_left(moment - time.time()), **views.moment(moment))


def _time_left(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return translate("in {minutes} min", minutes=minutes)
    return translate("in {hours} h", hours=round(minutes / 60))


def _actions(job: Job, jobs: Sequence[Job]) -> Html:
    delete = render("songs/delete.html", job=job.id)
    if job.state == JobState.UPLOADED:
        return join([render("songs/separate.html", job=job.id), delete])
    if job.is_pending:
        return render("songs/cancel.html", job=job.id)
    download = [render("songs/download.html", job=job.id)] if job.stems() else []
    compare = [_compare_link(job, other, jobs) for other in comparable(job, jobs)]
    return join([*download, *compare, _again_form(job), delete])


def _compare_link(job: Job, other: Job, jobs: Sequence[Job]) -> Html:
    label = translate("Compare with run {number} ({model})", number=run_number(other, jobs), model=other.model)
    return render("songs/compare.html", job=job.id, other=other.id, label=label)


def _again_form(job: Job) -> Html:
    """A form that offers the pairs of stems and a model that can be used here, grouped by the stems."""
    pairs = [(choice.name, stems) for stems in STEM_NAMES for choice in all_choices() if stems in choice.offered]
    selected = _suggested(job, pairs)
    groups = [
        render(
            "songs/group.html",
            label=stems_in_words(stems),
            options=join([_option(model, stems, selected) for model, of_model in pairs if of_model == stems]),
        )
        for stems in dict.fromkeys(stems for _, stems in pairs)
    ]
    return render("songs/again.html", job=job.id, format=job.format, separations=join(groups))


def _suggested(job: Job, pairs: Sequence[Pair]) -> Pair | None:
    """For a failed job its own pair; otherwise another model, since the job's own gives the same stems again."""
    own = (job.model, job.stems_wanted)
    if not job.is_done and own in pairs:
        return own
    return next((pair for pair in pairs if pair != own and pair[1] == job.stems_wanted), None)


def _option(model: str, stems: str, selected: Pair | None) -> Html:
    state = " selected" if (model, stems) == selected else ""
    return render("songs/option.html", value=f"{model} {stems}", words=model, selected=state)
