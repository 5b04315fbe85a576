"""The process that draws a job's pictures, `python -m webapp.worker.pictures`.

The environment variable JOB holds the job's id.

The pictures are made once and stored beside the stems. They are made in a process of their own, so that no process of
the web side that stays has to load numpy and soundfile.
"""

import logging
import os

import soundfile

from webapp import atomic, locks, logs, paths
from webapp.audio import pictures
from webapp.errors import JobNotFound
from webapp.jobs import store
from webapp.worker.neutral_paths import JOB_VARIABLE

log = logging.getLogger("pictures")


def draw(job_id: str) -> None:
    """Write `<name>.peaks` and `<name>.spectrogram` for the mixture and each stem of a job.

    Raises JobNotFound, OSError, soundfile.LibsndfileError.
    """
    job = store.load(job_id)
    lock = locks.try_acquire(job.outdir / ".pictures")
    if lock is None:
        return  # a process that a killed worker has left is still drawing
    for name, path in ({"mixture": job.source} | job.stems()).items():
        peaks, spectrogram = pictures.draw(path)
        for kind, picture in (("peaks", peaks), ("spectrogram", spectrogram)):
            with atomic.replace(job.outdir / f"{name}.{kind}") as file:
                file.write(picture.tobytes())


def main() -> None:
    logs.configure()
    job_id = os.environ[JOB_VARIABLE]
    try:
        draw(job_id)
    except (JobNotFound, OSError, soundfile.LibsndfileError) as error:
        if (paths.DOWNLOADS / job_id).exists():  # otherwise the job was deleted in the meantime
            log.error("job %.8s has no pictures: %s", job_id, error)


if __name__ == "__main__":
    main()
