"""The process that copies what a song's file says to its stems, `python -m webapp.worker.copy_tags`.

Tags, cover, markers and other chunks are copied. No sample is touched. The environment variable JOB holds the job's
id.
"""

import logging
import os
from pathlib import Path

from audiofiles import metadata
from webapp import logs
from webapp.errors import EngineNotFound, JobNotFound
from webapp.jobs import file_names, store
from webapp.worker.neutral_paths import JOB_VARIABLE

log = logging.getLogger("tags")


def copy_tags(source: Path, stems: dict[str, Path], song: str) -> None:
    """Write the metadata of the WAV file `source` into each stem, with the title "<title> (<stem>)".

    `song` is the title of a source that has tags but no title. A stem that cannot be tagged stays as it is, which is
    logged. Raises OSError if the source cannot be read.
    """
    found = metadata.read(source)
    for name, path in stems.items() if found else ():
        try:
            metadata.write_wav(path, found.fitting(*metadata.read_shape(path)).for_stem(name, song))
        except (OSError, ValueError) as error:
            log.warning("%s has no tags: %s", path.name, error)


def main() -> None:
    logs.configure()
    try:
        job = store.load(os.environ[JOB_VARIABLE])
        copy_tags(job.source, job.stem_paths(), file_names.song_name(job))
    except (JobNotFound, EngineNotFound, FileNotFoundError):
        pass  # the job was deleted in the meantime


if __name__ == "__main__":
    main()
