"""Taking a file in: from a multipart body to the disk, in constant memory."""

import errno
import os
import re
import shutil
from http import HTTPStatus
from pathlib import Path

from multipart import MultipartError, PushMultipartParser, parse_options_header

from webapp import jobs, sounds
from webapp.folders import UPLOADS
from webapp.jobs import Job
from webapp.limits import SPARE_DISK_BYTES
from webapp.refusal import Refusal
from webapp.script import Request

FIELD = "filename"  # as the thesis's form calls it
MAX_PARTS = 4
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # controls, and marks that turn text round


def take_in(request: Request) -> Job:
    """Store the file that `request` sends, check it, and make it a job. Raises Refusal (400, 408, 503)."""
    _check_room(request.content_length)
    try:
        with jobs.incoming() as folder:
            path = folder / jobs.SOURCE
            name = _store(request, path)
            sound = sounds.check(path)
            return jobs.admit(folder, name, sound.seconds, sound.cut_off)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room() from error
        raise


def shown_name(raw_name: str) -> str:
    """A file's name as it can be shown: without folders, and without what cannot be seen."""
    name = UNSEEN.sub("", re.split(r"[/\\]", raw_name)[-1]).strip()
    return name or "song.wav"


def _store(request: Request, path: Path) -> str:
    """Write the file's part of the body to `path`, on the disk for good, and return the name that it was sent under."""
    name = None
    in_file = False
    boundary = _boundary(request.content_type)
    try:
        # Not strict: that refuses what stands behind the last boundary, be it the line end that all browsers send,
        # whenever it comes in a piece of its own.
        parser = PushMultipartParser(boundary, request.content_length, max_segment_count=MAX_PARTS)
        with parser, _DurableFile(path) as file:
            while chunk := request.read():
                for event in parser.parse(chunk):
                    if event is None:
                        in_file = False
                    elif isinstance(event, (bytes, bytearray)):
                        if in_file:
                            file.write(event)
                    elif event.name == FIELD and event.filename:
                        _check_first(name)
                        name, in_file = event.filename, True
    except MultipartError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "What was sent is not a form with a file in it.") from None
    if name is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "No file was chosen. Please go back and choose a .wav file.")
    return shown_name(name)


def _check_first(name: str | None) -> None:
    if name is not None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Please send one file at a time.")


class _DurableFile:
    """A file whose content is already on its way to the disk while it is written, so that the end waits for little."""

    FLUSH_BYTES = 16 << 20

    def __init__(self, path: Path):
        self.file = path.open("xb", buffering=0)
        self.written = self.flushed = 0

    def __enter__(self) -> "_DurableFile":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self.file:
            if kind is None:
                os.fsync(self.file.fileno())

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self.file.write(view) :]
        self.written += len(content)
        if self.written - self.flushed >= self.FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # On Linux, saying that the pages are not needed starts their writing and does not wait for it.
            os.posix_fadvise(self.file.fileno(), self.flushed, self.written - self.flushed, os.POSIX_FADV_DONTNEED)
            self.flushed = self.written


def _boundary(content_type: str) -> str:
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "What was sent is not a form with a file in it.")
    return options["boundary"]


def _check_room(length: int) -> None:
    if shutil.disk_usage(UPLOADS).free < length + SPARE_DISK_BYTES:
        raise _no_room()


def _no_room() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "There is no room left on this machine's disk for your file.")
