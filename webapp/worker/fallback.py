"""The replacement of a model whose weights cannot be fetched by the best one that is on the disk."""

from dataclasses import replace

from webapp.engines import availability, choices
from webapp.engines.choices import Choice
from webapp.engines.engine import Fallback
from webapp.jobs.job import Job
from webapp.translation import mark_for_translation


def early_replacement(job: Job) -> Choice | None:
    """The replacement of a model that could not be fetched when that was last tried; None if there is no need for one.

    Raises EngineNotFound, OSError.
    """
    fallback = _fallback_of(job)
    if fallback is None or job.model not in availability.load().unavailable:
        return None
    choices.refresh()
    if any(choice.name == job.model and job.stems_wanted in choice.offered for choice in choices.all_choices()):
        return None  # it is on the disk by now
    return choices.replacement(job.model, fallback.stems[0])


def replacement_after(job: Job, status: int) -> Choice | None:
    """The replacement for a job that ended with exit status `status`; None if that was not because of missing weights.

    Raises EngineNotFound, OSError.
    """
    fallback = _fallback_of(job)
    if fallback is None or status != fallback.status:
        return None
    latest = availability.load()
    availability.save(replace(latest, unavailable=latest.unavailable | {job.model}))
    choices.refresh()
    return choices.replacement(job.model, fallback.stems[0])


def fall_back(job: Job, replacement: Choice) -> None:
    """Let the job be separated by the replacement, with a note for the visitor. Raises EngineNotFound."""
    fallback = _fallback_of(job)
    job.note = mark_for_translation("The model {model} could not be fetched, so the {fallback} model was used instead.")
    job.note_values = {"model": job.note_values.get("model", job.model), "fallback": replacement.name}
    if fallback is not None:
        job.stems_wanted = fallback.stems[0]
    job.model, job.targets = replacement.name, list(replacement.targets)


def _fallback_of(job: Job) -> Fallback | None:
    """The fallback of the job's engine, if it is for the job's model and stems."""
    engine = job.find_engine()
    return engine.fallback if engine.falls_back(job.model, job.stems_wanted) else None
