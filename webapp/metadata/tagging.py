"""Carries a song's tags over to its stems, `python -m webapp.metadata.tagging <job>`; no sample is touched."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

from webapp import jobs, logs, names
from webapp.metadata import flac, id3, riff, tags
from webapp.metadata.tags import Tags
from webapp.refusal import Refusal

log = logging.getLogger("tagging")


def carry_over(source: Path, stems: dict[str, Path], song: str) -> None:
    """Put the tags of the WAV `source` into each stem, as the title "<title> (<stem>)"; `song` if it has no title.

    A stem that cannot take them stays as it is.
    """
    found = tags.read(source)
    for name, path in stems.items() if found else ():
        try:
            _put(path, found.of_stem(name, song))
        except (OSError, ValueError) as error:
            log.warning("%s stays without tags: %s", path.name, error)


def _put(path: Path, of_stem: Tags) -> None:
    if path.suffix == ".flac":
        flac.put(path, of_stem.texts, of_stem.cover)
    else:
        riff.append(path, {b"LIST": tags.info_chunk(of_stem), b"id3 ": id3.written(of_stem.texts, of_stem.cover)})


def main() -> None:
    logs.configure()
    try:
        job = jobs.load(sys.argv[1])
        carry_over(job.source, replace(job, state="done").stems(), names.song(job))
    except (Refusal, FileNotFoundError):
        pass  # deleted meanwhile


if __name__ == "__main__":
    main()
