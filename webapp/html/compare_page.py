"""The page on which two results of one source are heard against each other."""

from webapp.html import songs_page
from webapp.html.pages import Html, length, page, part
from webapp.html.result_page import IN_PIECES, MIXTURE, player, track
from webapp.jobs import Job


def compare_page(one: Job, other: Job) -> str:
    """The player with the mixture and with both jobs' stems, those of one name side by side."""
    pair = {"A": one, "B": other}
    names = dict.fromkeys([*one.stems(), *other.stems()])
    stems = [
        track(job, name, f"{letter} ({job.model})", f"?{IN_PIECES}")
        for name in names
        for letter, job in pair.items()
        if name in job.stems()
    ]
    return page(
        "compare.html",
        name=one.name,
        length=length(one.seconds),
        results=Html("\n".join(_result(letter, job) for letter, job in pair.items())),
        player=player(one.seconds, [track(one, MIXTURE, query=f"?{IN_PIECES}"), *stems]),
    )


def _result(letter: str, job: Job) -> Html:
    about = f"{job.model}, {songs_page.stems_in_words(job.stems_wanted)}"
    return part("songs/result.html", job=job.id, letter=letter, about=about)
