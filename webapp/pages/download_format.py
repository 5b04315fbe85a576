"""The choice of the format and the sample rate of downloads, on the result page."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from webapp.jobs import export_choices
from webapp.jobs.export_choices import AS_THE_SONG, RATE_CHOICES, FormatChoice
from webapp.jobs.job import DEFAULT_FORMAT, Job
from webapp.pages.rendering import Html, join, render
from webapp.translation import translate


def fragment(job: Job, format: str, rate: str) -> Html:
    """The form of the choice. Without JavaScript it reloads the page, whose links are then those of the choice."""
    formats = export_choices.format_choices(job)
    selected = next(one for one in formats if one.name == (format or job.format))
    return render(
        "download_format/choice.html",
        job=job.id,
        chosen="yes" if format or rate else "",
        formats=join([_option(one.name, one.title, one.refusals, one.refusal, selected.name) for one in formats]),
        rates=join(_rate_options(selected, rate)),
        attenuation=_about_attenuation(job),
    )


def query(job: Job, format: str, rate: str) -> str:
    """What a choice adds to the query of a download: "&format=mp3&rate=48000"; empty if it is the default."""
    format = format or job.format
    chosen = {"format": format if (format, job.format) != (DEFAULT_FORMAT, DEFAULT_FORMAT) else "", "rate": rate}
    given = {name: value for name, value in chosen.items() if value}
    return f"&{urlencode(given)}" if given else ""


def _rate_options(format: FormatChoice, selected: str) -> Sequence[Html]:
    return [_option(rate, _rate_title(rate), {}, format.refusals.get(rate, ""), selected) for rate in RATE_CHOICES]


def _rate_title(rate: str) -> str:
    if rate == AS_THE_SONG:
        return translate("As the song")
    return translate("{rate} kHz", rate=f"{int(rate) / 1000:g}")


def _option(value: str, title: str, refusals: Mapping[str, str], refusal: str, selected: str) -> Html:
    """An option, disabled with the reason in its text if there is a `refusal`."""
    return render(
        "download_format/option.html",
        value=value,
        title=title,
        refusals=json.dumps(refusals) if refusals else "",
        state=" disabled" if refusal else " selected" if value == selected else "",
        words=f"{title} – {refusal}" if refusal else title,
    )


def _about_attenuation(job: Job) -> str:
    decibels = export_choices.attenuation_db(job)
    if not decibels:
        return ""
    return translate(
        "A stem exceeds full scale. In all formats but WAV, all stems are {decibels} dB quieter, so that nothing is"
        " clipped and they still add up.",
        decibels=f"{decibels:.2f}",
    )
