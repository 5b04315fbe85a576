"""Taking a file in: from a multipart body to the disk, in constant memory."""

import os
import re
from http import HTTPStatus
from pathlib import Path

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from webapp import admission, jobs, room, sounds, visitors
from webapp.jobs import Job
from webapp.refusal import Refusal
from webapp.script import Request
from webapp.words import say

FIELD = "filename"  # as the thesis's form calls it
MAX_PARTS = 4
MAX_HEAD_BYTES = 64 << 10  # of what stands before the file in the form, and of what stands after it
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)  # controls, ends of lines, and marks that turn text round


def take_in(request: Request, visitor: str) -> Job:
    """Store the file that `request` sends, check it, and make it a job of `visitor`.

    Raises Refusal (400, 408, 413, 429, 503).
    """
    address = visitors.network(request.address)
    admission.check_number(visitor, address)
    room.check(request.content_length)
    with admission.incoming() as folder:
        path = folder / jobs.SOURCE
        name = _store(request, path)
        sound = sounds.check(path)
        about = {"name": name, "seconds": sound.seconds, "cut_off": sound.cut_off}
        return admission.admit(folder, **about, visitor=visitor, address=address)


def shown_name(raw_name: str) -> str:
    """A file's name as it can be shown: without folders, and without what cannot be seen."""
    name = UNSEEN.sub("", re.split(r"[/\\]", raw_name)[-1]).strip()
    return name or "song.wav"


def _store(request: Request, path: Path) -> str:
    """Write the form's file to `path`, on the disk for good, and return the name that it was sent under.

    Only the form's head and end are parsed: to search gigabytes for a boundary takes as long as to write them.
    """
    boundary = _boundary(request.content_type)
    try:
        # Not strict: that refuses what stands behind the last boundary, be it the line end that all browsers send,
        # whenever it comes in a piece of its own.
        with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser, _DurableFile(path) as file:
            name, begun = _read_head(request, parser)
            file.write(begun)
            while piece := request.read():
                file.write(piece)
            _cut_off_end(file, parser, f"\r\n--{boundary}".encode())
    except MultipartError:
        raise Refusal(HTTPStatus.BAD_REQUEST, say("What was sent is not a form with a file in it.")) from None
    return shown_name(name)


def _read_head(request: Request, parser: PushMultipartParser) -> tuple[str, bytes]:
    """Read the form to where its file begins: the file's name, and what of it has come already."""
    received = b""
    while len(received) < MAX_HEAD_BYTES and (piece := request.read()):
        received += piece
        while b"\r\n\r\n" in received:
            head, line_ends, received = received.partition(b"\r\n\r\n")
            for part in _parts(parser, head + line_ends):
                if part.name == FIELD and part.filename:
                    return part.filename, received
    _parts(parser, received)
    parser.close()  # complains of a form that is none
    raise Refusal(HTTPStatus.BAD_REQUEST, say("No file was chosen. Please go back and choose a .wav file."))


def _cut_off_end(file: "_DurableFile", parser: PushMultipartParser, delimiter: bytes) -> None:
    """Take the form's end, which has been written too, from the file. Raises MultipartError, Refusal (400)."""
    end = file.tail(MAX_HEAD_BYTES)
    start = end.find(delimiter)
    if start < 0:
        raise MultipartError("The form has no end.")
    if any(part.filename for part in _parts(parser, end[start:])):
        raise Refusal(HTTPStatus.BAD_REQUEST, say("Please send one file at a time."))
    file.truncate(file.written - len(end) + start)


def _parts(parser: PushMultipartParser, content: bytes) -> list[MultipartSegment]:
    """The parts that begin in `content`."""
    return [event for event in parser.parse(content) if isinstance(event, MultipartSegment)]


class _DurableFile:
    """A file whose content is already on its way to the disk while it is written, so that the end waits for little."""

    FLUSH_BYTES = 16 << 20

    def __init__(self, path: Path):
        self.file = path.open("x+b", buffering=0)
        self.written = self.flushed = 0

    def __enter__(self) -> "_DurableFile":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self.file:
            if kind is None:
                os.fsync(self.file.fileno())

    def tail(self, nb_bytes: int) -> bytes:
        """The last bytes that were written."""
        self.file.seek(max(0, self.written - nb_bytes))
        return self.file.read()

    def truncate(self, nb_bytes: int) -> None:
        self.file.truncate(nb_bytes)

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
        raise Refusal(HTTPStatus.BAD_REQUEST, say("What was sent is not a form with a file in it."))
    return options["boundary"]
