"""The page on which two results of one source are heard against each other."""

from webapp import songs_page, views
from webapp.jobs import Job
from webapp.pages import Html, length, page, part
from webapp.words import say

LETTERS = ("A", "B")


def compare_page(one: Job, other: Job) -> str:
    """The player with the mixture and with both jobs' stems, those of one name side by side."""
    pair = tuple(zip(LETTERS, (one, other), strict=True))
    names = list(dict.fromkeys([*one.stems(), *other.stems()]))
    tracks = [_track(one, "mixture", f"/downloads/{one.id}/mixture.wav", say("mixture"))]
    tracks += [_stem(job, name, letter) for name in names for letter, job in pair if name in job.stems()]
    return page(
        "compare.html",
        name=one.name,
        length=length(one.seconds),
        results=_joined(_result(letter, job) for letter, job in pair),
        tracks=_joined(tracks),
    )


def _stem(job: Job, name: str, letter: str) -> Html:
    return _track(job, name, views.stem_url(job, name), f"{_in_words(name)} {letter} ({job.model})")


def _in_words(name: str) -> str:
    words = {
        "vocals": say("vocals"),
        "music": say("music"),
        "drums": say("drums"),
        "bass": say("bass"),
        "other": say("other"),
    }
    return words.get(name, name)


def _track(job: Job, name: str, url: str, words: str) -> Html:
    return part("songs/track.html", name=words, url=url, place=f"/downloads/{job.id}/{name}")


def _result(letter: str, job: Job) -> Html:
    about = f"{job.model}, {songs_page.stems_in_words(job.stems_wanted)}"
    return part("songs/result.html", job=job.id, letter=letter, about=about)


def _joined(parts) -> Html:
    return Html("\n".join(parts))
