"""The result page: what is heard and what is downloaded of a finished job."""

from collections.abc import Iterable
from functools import partial

from webapp import limits
from webapp.html.options import about_model
from webapp.html.pages import Html, length, page, part
from webapp.html.views import note, stem_url
from webapp.jobs import Job
from webapp.words import say

MIXTURE = "mixture"
NOTHING = Html()
IN_PIECES = "in-pieces"  # asked for where there are more tracks than a browser has connections


def result_page(job: Job) -> str:
    tracks = map(partial(track, job), (MIXTURE, *job.stems()))
    return page(
        "download.html",
        job=job.id,
        name=job.name,
        length=length(job.seconds),
        note=note(job),
        player=player(job.seconds, tracks, part("player/mix.html", job=job.id)),
        downloads=_joined(map(partial(_stem, job), job.stems())),
        model=job.model,
        about=about_model(job.model),
        hours=f"{limits.in_force().keep_hours:g}",
    )


def player(seconds: float, tracks: Iterable[Html], below: Html = NOTHING) -> Html:
    """What plays `tracks`, which are as `track` makes them, in step; the longest lasts `seconds`."""
    return part(
        "player/player.html",
        seconds=f"{seconds:.3f}",
        length=length(seconds),
        tracks=_joined(tracks),
        below=below,
    )


def track(job: Job, name: str, label: str = "", query: str = "") -> Html:
    """One line of the player. Those of a set sound together, and sets are alternatives, told apart by a label."""
    set_ = MIXTURE if name == MIXTURE else job.id
    beside = f"/downloads/{job.id}/{name}"
    return part(
        "player/track.html",
        id=f"{job.id}-{name}",
        name=name,
        title=f"{in_words(name)} {label}".strip(),
        set=set_,
        url=(f"{beside}.wav" if name == MIXTURE else stem_url(job, name)) + query,
        peaks=f"{beside}.peaks",
        spectrogram=f"{beside}.spectrogram",
    )


def in_words(name: str) -> str:
    titles = {
        MIXTURE: say("Mixture"),
        "vocals": say("Vocals"),
        "music": say("Music"),
        "drums": say("Drums"),
        "bass": say("Bass"),
        "other": say("Other"),
    }
    return titles.get(name, name)


def _stem(job: Job, name: str) -> Html:
    return part("player/stem.html", url=stem_url(job, name), title=_download(name))


def _download(name: str) -> str:
    titles = {
        "vocals": say("Download vocal"),
        "music": say("Download music"),
        "drums": say("Download drums"),
        "bass": say("Download bass"),
        "other": say("Download other"),
    }
    return titles.get(name, name)


def _joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))
