"""The page on which two results of one source are heard against each other."""

from webapp import result_page, songs_page
from webapp.jobs import Job
from webapp.pages import Html, length, page, part

LETTERS = ("A", "B")


def compare_page(one: Job, other: Job) -> str:
    """The player with the mixture and with both jobs' stems, those of one name side by side."""
    pair = tuple(zip(LETTERS, (one, other), strict=True))
    names = list(dict.fromkeys([*one.stems(), *other.stems()]))
    tracks = [result_page.track(one, result_page.MIXTURE)]
    tracks += [_stem(job, name, letter) for name in names for letter, job in pair if name in job.stems()]
    return page(
        "compare.html",
        name=one.name,
        length=length(one.seconds),
        results=_joined(_result(letter, job) for letter, job in pair),
        player=result_page.player(one.seconds, tracks),
    )


def _stem(job: Job, name: str, letter: str) -> Html:
    return result_page.track(job, name, f"{result_page.in_words(name)} {letter} ({job.model})")


def _result(letter: str, job: Job) -> Html:
    about = f"{job.model}, {songs_page.stems_in_words(job.stems_wanted)}"
    return part("songs/result.html", job=job.id, letter=letter, about=about)


def _joined(parts) -> Html:
    return Html("\n".join(parts))
