"""What a visitor can choose for the downloads of a finished job: formats, sample rates, and what is said about them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from webapp.audio import export_formats, wav_format
from webapp.audio.export_formats import FORMATS, RATES, ExportFormat
from webapp.audio.wav_format import WavFormat
from webapp.errors import ChoiceError
from webapp.jobs.job import Job
from webapp.translation import translate

AS_THE_SONG = ""
RATE_CHOICES = (AS_THE_SONG, *map(str, RATES))


@dataclass(frozen=True)
class FormatChoice:
    """A format as the page shows it. `refusals` says for each rate that it cannot have why not, in a sentence.

    `refusal` is the sentence where it cannot hold the song at any rate, else empty.
    """

    name: str
    title: str
    refusals: dict[str, str]
    refusal: str


def format_choices(job: Job) -> list[FormatChoice]:
    """All formats, in the order of the page."""
    stems = _stem_formats(job)
    return [_choice(format, stems[0] if stems else None) for format in FORMATS.values()]


def check(job: Job, format: str, rate: str) -> None:
    """Raise ChoiceError if the job's stems cannot be downloaded so."""
    chosen = export_formats.find(format)
    for stem in _stem_formats(job)[:1]:
        chosen.speakers_for(stem.nb_channels, stem.speakers)
        chosen.output_rate(rate, stem.sample_rate)


def attenuation_db(job: Job) -> float:
    """By how many dB the stems are quieter in formats without floating point, as far as their headers tell."""
    return export_formats.attenuation_db(max((stem.peak for stem in _stem_formats(job) if stem.is_float), default=0.0))


def _choice(format: ExportFormat, stem: WavFormat | None) -> FormatChoice:
    title = translate(format.title)
    if stem is None:
        return FormatChoice(format.name, title, {}, "")
    try:
        format.speakers_for(stem.nb_channels, stem.speakers)
    except ChoiceError as error:
        return FormatChoice(format.name, title, {}, error.sentence)
    refusals = {}
    for rate in RATE_CHOICES:
        try:
            format.output_rate(rate, stem.sample_rate)
        except ChoiceError as error:
            refusals[rate] = error.sentence
    return FormatChoice(format.name, title, refusals, "")


def source_speakers(job: Job) -> int:
    """The arrangement of the song's channels, which its stems share even if their headers do not state it."""
    with suppress(OSError, ValueError):
        return wav_format.read(job.source).speakers
    return 0


def _stem_formats(job: Job) -> Sequence[WavFormat]:
    """What is known of the stems; empty if one was just deleted."""
    with suppress(OSError, ValueError):
        found = [wav_format.read(path) for path in job.stems().values()]
        return [replace(stem, speakers=stem.speakers or source_speakers(job)) for stem in found]
    return []
