"""The jobs of one visitor, and which of them can be compared."""

from collections.abc import Iterable

from webapp.errors import ChoiceError
from webapp.jobs import catalogue, store
from webapp.jobs.job import Job, JobState
from webapp.translation import translate


def jobs_of(visitor: str) -> list[Job]:
    """The visitor's jobs, newest first. Jobs without an owner ("") are shown to no one."""
    if not visitor:
        return []
    own = [job for job in catalogue.all_jobs() if job.visitor == visitor and job.state != JobState.CANCELLED]
    return sorted(own, key=lambda job: job.created, reverse=True)


def has_jobs(visitor: str) -> bool:
    return any(job.visitor == visitor for job in catalogue.all_jobs())


def comparable(job: Job, others: Iterable[Job]) -> list[Job]:
    """Those of `others` that are results of the same source as `job`. Empty if `job` is not done."""
    if not job.is_done:
        return []
    return [other for other in others if other.is_done and other.id != job.id and _source(job) == _source(other)]


def run_number(job: Job, jobs: Iterable[Job]) -> int:
    """Which of the `jobs` over one source this is, 1 for the first; 0 if it is the only one."""
    runs = sorted((other for other in jobs if _source(other) == _source(job)), key=lambda other: other.created)
    return [other.id for other in runs].index(job.id) + 1 if len(runs) > 1 else 0


def load_comparable(job: Job, other_id: str) -> Job:
    """Load the job to compare `job` with. Raises JobNotFound, and ChoiceError if their sources differ."""
    other = store.load(other_id)
    if not comparable(job, [other]):
        raise ChoiceError(translate("Only two results of the same song can be compared."))
    return other


def _source(job: Job) -> str:
    """What all jobs over one source have in common: the id of the first of them."""
    return job.again_of or job.id
