"""How much is taken, and for how long: defaults that suit a laptop."""

GIB = 1 << 30

MAX_UPLOAD_BYTES = 8 * GIB  # three hours of 96 kHz, 24 bit, stereo are 6.2 GB
MAX_FORM_BYTES = 64 << 10
MAX_SCRIPTS = 16  # CGI scripts at a time, uploads apart; one takes about 20 MB
MAX_UPLOADS = 16  # at a time
MAX_STREAMS = 8  # zips and mixes that are being sent, at a time; a mix takes about 40 MB
SLOT_SECONDS = 10  # for which a request waits for its turn before it is told to come again

SPARE_DISK_BYTES = 64 << 20  # left free on the disk after an upload

PIECE_BYTES = 2 << 20  # of a track that is fetched in pieces

IDLE_SECONDS = 60  # a connection on which nothing moves
SCRIPT_SECONDS = 90  # a CGI script, beside the time that its body takes; it tells an idle sender so before that
SLOWEST_UPLOAD = 32 << 10  # bytes a second that a body is given time for

MODEL_RETRY_SECONDS = 600  # before a model that could not be fetched is asked for again
MAX_ATTEMPTS = 2  # a job that was interrupted is run again once
