"""The result page, on which the stems of a finished job are played and downloaded."""

from collections.abc import Mapping, Sequence

from webapp import limits
from webapp.jobs import file_names
from webapp.jobs.job import Job
from webapp.pages import download_format
from webapp.pages.addresses import address
from webapp.pages.options import about_model
from webapp.pages.rendering import Html, format_length, join, page, render
from webapp.pages.views import note, stem_url
from webapp.translation import translate

MIXTURE = "mixture"
NOTHING = Html()
MAX_NB_NUMBERS = 9  # keys 1 to 9
IN_PIECES = "in-pieces"  # the query for pages with more tracks than a browser has connections


def result_page(job: Job, others: Sequence[Job] = (), format: str = "", rate: str = "") -> str:
    """The result page of `job`, with links to downloads in this format and at this rate; both are empty if not chosen.

    `others` are the results of the same source that it can be compared with.
    """
    choice = download_format.query(job, format, rate)
    stems = list(job.stems())
    tracks = [track(job, name, download=_download_button(job, name, choice)) for name in stems]
    return page(
        "download.html",
        job=job.id,
        name=job.name,
        length=format_length(job.seconds),
        note=note(job),
        player=player(
            [job],
            [track(job, MIXTURE), *tracks],
            presets=presets(stems),
            sets=[(MIXTURE, translate("Original")), (job.id, translate("Stems"))],
        ),
        mix=render("player/mix.html", job=job.id, choice=choice, name=file_names.stem_file_name(job, "mix", "")),
        compare=join([_compare_link(job, other) for other in others]),
        choice=choice,
        format_choice=download_format.fragment(job, format, rate),
        model=job.model,
        about=about_model(job.model),
        hours=f"{limits.current().keep_hours:g}",
    )


def player(
    jobs: Sequence[Job],
    tracks: Sequence[Html],
    *,
    presets: Mapping[str, Sequence[str]],
    sets: Sequence[tuple[str, str]],
) -> Html:
    """The player of the results `jobs`, which plays one of the `sets` of their `tracks` at a time.

    `presets`: the title of each, and the names of the stems that it plays; `sets`: the name and the title of each.
    """
    seconds = max(job.seconds for job in jobs)
    nb_numbers = min(len(tracks) - 1, MAX_NB_NUMBERS)
    return render(
        "player/player.html",
        seconds=f"{seconds:.3f}",
        length=format_length(seconds),
        jobs="+".join(job.id for job in jobs),
        tracks=join(tracks),
        presets=join(
            [render("player/preset.html", title=title, stems=" ".join(stems)) for title, stems in presets.items()]
        ),
        sets=join([render("player/set.html", set=name, title=title) for name, title in sets]),
        number_keys=join([render("player/key.html", key=number + 1) for number in range(nb_numbers)]),
        compare_key=render("player/compare_key.html") if len(sets) > 2 else "",
    )


def track(job: Job, name: str, label: str = "", query: str = "", download: Html = NOTHING) -> Html:
    """A track of the player. The tracks of one set play together; sets are alternatives, told apart by their label."""
    base = address(f"/downloads/{job.id}/{name}")
    return render(
        "player/track.html",
        id=f"{job.id}-{name}",
        name=name,
        title=f"{stem_title(name)} {label}".strip(),
        set=MIXTURE if name == MIXTURE else job.id,
        url=(f"{base}.wav" if name == MIXTURE else stem_url(job, name)) + query,
        peaks=f"{base}.peaks",
        spectrogram=f"{base}.spectrogram",
        download=download,
    )


def presets(stems: Sequence[str]) -> dict[str, Sequence[str]]:
    """The presets for these stems: the title of each, and the stems that it plays."""
    found = {translate("All stems"): stems}
    if set(stems) == {"vocals", "music"}:
        return found | {translate("Vocals only"): ["vocals"], translate("Music only (karaoke)"): ["music"]}
    if "vocals" in stems:
        found[translate("Vocals only")] = ["vocals"]
    titles = {
        "vocals": translate("All but vocals (karaoke)"),
        "drums": translate("All but drums"),
        "bass": translate("All but bass"),
        "other": translate("All but other"),
    }
    return found | {title: [stem for stem in stems if stem != name] for name, title in titles.items() if name in stems}


def stem_title(name: str) -> str:
    titles = {
        MIXTURE: translate("Original"),
        "vocals": translate("Vocals"),
        "music": translate("Music"),
        "drums": translate("Drums"),
        "bass": translate("Bass"),
        "other": translate("Other"),
    }
    return titles.get(name, name)


def _preset_button(title: str, stems: Sequence[str]) -> Html:
    return render("player/preset.html", title=title, stems=" ".join(stems))


def _download_button(job: Job, name: str, choice: str) -> Html:
    titles = {
        "vocals": translate("Download vocal"),
        "music": translate("Download music"),
        "drums": translate("Download drums"),
        "bass": translate("Download bass"),
        "other": translate("Download other"),
    }
    url = stem_url(job, name) + choice.replace("&", "?", 1)
    return render("player/stem.html", url=url, title=titles.get(name, name))


def _compare_link(job: Job, other: Job) -> Html:
    return render("player/compare.html", job=job.id, other=other.id, model=other.model)
