"""How much is taken, and for how long: defaults that suit a laptop.

Those of `Limits` are options of server.py, which tells its scripts and its worker by the environment.
"""

import os
from dataclasses import asdict, dataclass, fields

GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What whoever starts the server may choose; the options are called as the fields are."""

    max_upload_gb: float = 8  # three hours of 96 kHz, 24 bit, stereo are 6.2 GB
    max_song_hours: float = 6
    max_songs: int = 100  # a visitor's that are not separated yet
    max_disk_percent: float = 50  # of the whole disk, for all songs together
    max_job_hours: float = 3  # an engine that hangs does not keep the others waiting for ever
    keep_hours: float = 24  # since the last use

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_gb * GIB)

    def variables(self) -> dict[str, str]:
        """These limits as environment variables."""
        return {name.upper(): str(value) for name, value in asdict(self).items()}


def in_force() -> Limits:
    """The limits that the environment tells of, and the defaults where it says nothing."""
    told = {field: os.environ.get(field.name.upper()) for field in fields(Limits)}
    return Limits(**{field.name: field.type(value) for field, value in told.items() if value})


MAX_FORM_BYTES = 64 << 10
MAX_SCRIPTS = 16  # CGI scripts at a time, uploads apart; one takes about 20 MB
MAX_UPLOADS = 16  # at a time
MAX_UPLOADS_A_MINUTE = 60  # from one address of a network
MAX_WRONG_PASSWORDS = 10  # a minute from one address
MAX_STREAMS = 8  # zips and mixes that are being sent, at a time; a mix takes about 40 MB
SLOT_SECONDS = 10  # for which a request waits for its turn before it is told to come again

SPARE_DISK_BYTES = 64 << 20  # left free on the disk after an upload

PIECE_BYTES = 2 << 20  # of a track that is fetched in pieces

MAX_CONNECTIONS = 1000  # a thread each; whoever comes then is told to come again
MAX_HEAD_BYTES = 128 << 10  # of a request
FIRST_BYTES = 256  # of an upload, and all of a form, must have come before a script is started for it

IDLE_SECONDS = 60  # a connection on which nothing moves; and a request's head, however it moves
SCRIPT_SECONDS = 90  # a CGI script, beside the time that its body takes; it tells an idle sender so before that
SLOWEST = 32 << 10  # bytes a second, after the first minute, at which a script is held for a sender or a reader

MODEL_RETRY_SECONDS = 600  # before a model that could not be fetched is asked for again
MAX_ATTEMPTS = 2  # a job that was interrupted is run again once
