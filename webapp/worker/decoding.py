"""What precedes the separation of an upload that is not a plain WAV file: it is decoded to one, in a process."""

import json
import sys
import time
from contextlib import suppress

from webapp import atomic, limits, priority
from webapp.jobs.job import Job
from webapp.translation import mark_for_translation
from webapp.worker.neutral_paths import NeutralPaths
from webapp.worker.separation import Separation, start_process

DAMAGED = mark_for_translation("Some parts of the file are damaged and were left out.")
# The exit statuses of openunmix_models.decode → why the job failed.
REASONS = {
    2: mark_for_translation("This file is damaged: no sound in it can be decoded."),
    4: mark_for_translation("There is no space left on the disk for the decoded sound of this file."),
    5: mark_for_translation("There was not enough memory on this machine to decode this file."),
    6: mark_for_translation("This song is longer than the limit of this server."),
}
CRASH = mark_for_translation("This file could not be decoded: it is damaged, or not what it claims to be.")


class Decoding(Separation):
    """A running process that decodes a job's upload. Its exit status is that of `openunmix_models.decode`."""

    def __init__(self, job: Job):
        """Start the process. Raises OSError."""
        self.is_remote = False
        job.decoded_part.unlink(missing_ok=True)
        self.paths = NeutralPaths(job)
        encoded, decoded = (self.paths.source.with_name(path.name) for path in (job.encoded, job.decoded_part))
        command = [sys.executable, "-m", "openunmix_models.decode", str(encoded), str(decoded)]
        command += ["--max-seconds", str(limits.current().max_song_hours * 3600)]
        with job.log.open("wb") as log:
            self.process = start_process(job, command, priority.ONE_THREAD, stdout=log, stderr=log)
        self.job, self.job_id = job, job.id
        self.has_begun = True
        self._started_at = time.monotonic()


def finish(job: Job) -> None:
    """Replace the job's upload by its decoded WAV file, which is synced, and note in the job what is known of it.

    Raises OSError.
    """
    with suppress(ValueError, IndexError, KeyError):  # what was written is used without a report as well
        report = json.loads(job.log.read_text("utf-8", "replace").strip().splitlines()[-1])
        job.seconds, job.cut_off = float(report["seconds"]), bool(report["cut_off"])
        if report["damaged"]:
            job.source_remarks = job.source_remarks | {DAMAGED: {}}
    job.decoded_part.replace(job.source)
    atomic.sync(job.folder)
    job.encoded.unlink(missing_ok=True)


def failure_reason(status: int) -> str:
    """Why decoding failed, by its exit status: a sentence, a key to its translation."""
    return REASONS.get(status, CRASH)
