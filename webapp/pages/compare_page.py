"""The page on which two results of one source are compared by ear."""

from webapp.jobs.job import Job
from webapp.pages import songs_page
from webapp.pages.rendering import Html, format_length, join, page, render
from webapp.pages.result_page import IN_PIECES, MIXTURE, player, presets, track
from webapp.pages.views import moment
from webapp.translation import translate


def compare_page(one: Job, other: Job) -> str:
    """The player with the mixture and the stems of both jobs, stems of the same name next to each other."""
    pair = {"A": one, "B": other}
    names = dict.fromkeys([*one.stems(), *other.stems()])
    stems = [
        track(job, name, f"{letter} ({job.model})", f"?{IN_PIECES}")
        for name in names
        for letter, job in pair.items()
        if name in job.stems()
    ]
    results = [(job.id, f"{letter} ({job.model})") for letter, job in pair.items()]
    return page(
        "compare.html",
        name=one.name,
        length=format_length(one.seconds),
        results=join([_result(letter, job) for letter, job in pair.items()]),
        player=player(
            [one, other],
            [track(one, MIXTURE, query=f"?{IN_PIECES}"), *stems],
            presets=presets(list(names)),
            sets=[(MIXTURE, translate("Original")), *results],
        ),
    )


def _result(letter: str, job: Job) -> Html:
    about = f"{job.model}, {songs_page.stems_in_words(job.stems_wanted)}"
    return render("songs/result.html", job=job.id, letter=letter, about=about, **moment(job.finished))
