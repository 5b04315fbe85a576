"""The limits of the application: how much it accepts, how long it waits. The defaults suit a laptop.

The server gets a `Limits` object. It passes the values on to its scripts and its worker as environment variables.
"""

import os
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

GIB = 1 << 30

T = TypeVar("T", int, float)


def _option(default: T, help: str) -> T:
    """A field that is also an option of server.py, with its help text."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Limits:
    """All limits. Those with a help text are options of server.py, which are named like their fields."""

    max_upload_gb: float = _option(8.0, "size of an uploaded file, in GB")  # 3 h of 96 kHz, 24 bit, stereo: 6.2 GB
    max_song_hours: float = _option(6.0, "length of a song, in hours")
    max_songs: int = _option(100, "songs of one visitor that are not separated yet")
    max_disk_percent: float = _option(50.0, "share of the disk that all songs may take together, in percent")
    max_job_hours: float = _option(3.0, "how long one separation may take, in hours")
    keep_hours: float = _option(24.0, "how long files are kept after their last use, in hours")

    max_connections: int = 1000  # at a time; each has a thread
    max_scripts: int = 16  # CGI scripts at a time, other than uploads; each takes about 20 MB
    max_uploads: int = 64  # at a time; each takes about 10 MB
    max_streams: int = 16  # zips, mixes and stems in other formats at a time; encoding takes about 100 MB
    max_network_percent: int = 25  # of the connections, scripts, uploads and streams, for one network
    max_uploads_per_minute: int = 60  # from one network
    max_wrong_passwords: int = 10  # per minute from one network

    max_head_bytes: int = 128 << 10  # of a request
    max_variable_bytes: int = 96 << 10  # of the query or a header that a script gets
    max_form_bytes: int = 64 << 10  # of a form without a file
    first_upload_bytes: int = 64 << 10  # that must have arrived before a script is started for an upload
    range_bytes: int = 2 << 20  # of a track that is requested in pieces
    spare_disk_bytes: int = 64 << 20  # that an upload leaves free on the disk

    idle_seconds: int = 60  # without any data on a connection; also for the whole head of a request
    slot_seconds: float = 10.0  # for which a request waits for its turn before it is answered with 503
    script_seconds: float = 90.0  # for a CGI script, in addition to the time that its body takes
    export_seconds: float = 3600.0  # the same for a zip, a mix or a stem in another format, which is encoded first
    min_bytes_per_second: int = 32 << 10  # of a client that sends a body or reads a response
    first_seconds: float = 10.0  # that such a client may take in addition; see webapp.pace
    fair_bytes_per_second: int = 1 << 20  # below which the slowest client gives way when all slots are taken
    fair_seconds: float = 1.0  # for which a client's pace is measured before it has to give way

    model_retry_seconds: float = 600.0  # before a model that could not be fetched is asked for again
    probe_seconds: float = 30.0  # for the process that examines an upload which is not plain WAV
    max_attempts: int = 2  # to separate a job that was interrupted
    warming_seconds: float = 10.0  # for the command that loads a model ahead of a song; it should return at once
    warming_pause_seconds: float = 60.0  # between two such commands; the loaded process waits longer for a song
    retry_seconds: float = 1.0  # after which the worker goes on after an error such as a full disk
    scheduler_retry_seconds: float = 30.0  # after the scheduler of `--run-with` could not be reached
    undo_seconds: float = 60.0  # for which a deletion can be undone, at least
    cleanup_seconds: float = 60.0  # between clean-ups
    cleanup_grace_seconds: float = 60.0  # for which a new folder may be without a lock

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_gb * GIB)

    def variables(self) -> dict[str, str]:
        """These limits as environment variables."""
        return {name.upper(): str(value) for name, value in asdict(self).items()}


def current() -> Limits:
    """The limits of this process: those of the environment, and the defaults where it has none."""
    values: dict[str, Any] = {}
    for name, default in asdict(Limits()).items():
        if text := os.environ.get(name.upper()):
            values[name] = type(default)(text)
    return Limits(**values)
