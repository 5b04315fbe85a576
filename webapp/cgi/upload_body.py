"""The file in the body of an upload: a part of a multipart form (RFC 7578), or the whole body."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from webapp.cgi.upload_name import displayed_name, part_file_name
from webapp.pages.http_errors import HTTPError
from webapp.translation import translate

MAX_PARTS = 8
MAX_HEAD_BYTES = 64 << 10  # of the form before the file
MAX_FIELD_BYTES = 4 << 10  # of another field; the rest is ignored
AUDIO_STARTS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"fLaC", b"OggS", b"ID3")


class UploadRequest(Protocol):
    """What is needed of a request; `webapp.cgi.request.Request` has it."""

    address: str
    content_type: str
    content_length: int | None  # None for a body in chunks
    query_name: str

    def read(self) -> bytes:
        """The next bytes of the body, empty at its end."""

    def check_server(self) -> None:
        """Raise HTTPError if the server has ended."""


def open_body(request: UploadRequest, form: "Form") -> tuple[str, Iterator[bytes | memoryview]]:
    """The file's name, and its content piece by piece. `form` gets the other fields.

    The content must be read to its end, since only there is known whether the form is complete. Raises HTTPError (400,
    408, 413).
    """
    kind, options = parse_options_header(request.content_type)
    if kind == "multipart/form-data" and (boundary := str(options.get("boundary") or "")):
        return _open_form(request, boundary, form)
    start = request.read()
    if kind.startswith("audio/") or kind == "application/octet-stream" or start.startswith(AUDIO_STARTS):
        return displayed_name(request.query_name), _whole_body(request, start)
    raise _not_a_form()


def _whole_body(request: UploadRequest, start: bytes) -> Iterator[bytes]:
    yield start
    yield from iter(request.read, b"")


def _open_form(request: UploadRequest, boundary: str, form: "Form") -> tuple[str, Iterator[bytes | memoryview]]:
    try:
        # Not strict: a strict parser rejects anything after the last boundary, and all browsers send a line end there,
        # which may come in a piece of its own. Latin-1 keeps every byte of a name.
        parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS, header_charset="latin-1")
        part, received = _read_head(request, parser, form)
    except MultipartError:
        raise _not_a_form() from None
    return displayed_name(part_file_name(part)), _file_content(request, parser, part, received, form)


def _read_head(request: UploadRequest, parser: PushMultipartParser, form: "Form") -> tuple[MultipartSegment, bytes]:
    """Read the form up to its file. Returns the file's part, and those of its bytes that have arrived already."""
    received = b""
    while len(received) < MAX_HEAD_BYTES and (piece := request.read()):
        received += piece
        while b"\r\n\r\n" in received:
            head, line_ends, received = received.partition(b"\r\n\r\n")
            for part in form.parse(parser, head + line_ends):
                if part_file_name(part):
                    return part, received
    form.parse(parser, received)
    parser.close()  # raises MultipartError if this is not a form
    raise HTTPError(HTTPStatus.BAD_REQUEST, translate("No file was chosen. Please go back and choose a .wav file."))


def _file_content(
    request: UploadRequest, parser: PushMultipartParser, part: MultipartSegment, received: bytes, form: "Form"
) -> Iterator[bytes | memoryview]:
    """The content of the file, up to the delimiter, for which each piece is searched; then check the form's rest.

    The parser sees the form without this content, since it would take longer to pass it on.
    """
    delimiter = b"\r\n--" + parser.boundary
    held_back = b""  # the last bytes before `received`, which may be the start of a delimiter
    while (end := _find(delimiter, held_back, received)) < 0:
        yield held_back
        ready = max(0, len(received) - len(delimiter) + 1)
        yield memoryview(received)[:ready]
        part.bytes_received += len(held_back) + ready
        held_back = received[ready:]
        received = request.read()
        if not received:
            raise _not_a_form()  # it has no end
        if len(received) < len(delimiter):
            held_back, received = b"", held_back + received
    part.bytes_received += end
    if part.header("Content-Length", str(part.bytes_received)) != str(part.bytes_received):
        raise _not_a_form()
    yield held_back[:end]
    yield memoryview(received)[: max(0, end - len(held_back))]
    _check_rest(request, parser, (held_back + received)[end:], form)


def _find(delimiter: bytes, before: bytes, content: bytes) -> int:
    """Where the delimiter is in `before + content`, -1 if it is not there. `before` is shorter than it."""
    start = (before + content[: len(delimiter)]).find(delimiter)
    if start >= 0:
        return start
    start = content.find(delimiter)
    return start + len(before) if start >= 0 else -1


def _check_rest(request: UploadRequest, parser: PushMultipartParser, received: bytes, form: "Form") -> None:
    """Read the form to its end. Raises HTTPError (400) if it has no end, or another file in it."""
    try:
        while received:
            if any(part_file_name(part) for part in form.parse(parser, received)):
                raise HTTPError(HTTPStatus.BAD_REQUEST, translate("Please send one file at a time."))
            received = request.read()
        parser.close()
    except MultipartError:
        raise _not_a_form() from None


class Form:
    """The parts of a form other than its file, as they are parsed."""

    def __init__(self) -> None:
        self._contents: list[tuple[MultipartSegment, bytearray]] = []

    def parse(self, parser: PushMultipartParser, content: bytes) -> list[MultipartSegment]:
        """Parse the next piece of the form, and return the parts that begin in it. Raises MultipartError."""
        begun = []
        for event in parser.parse(content) if content else ():
            if isinstance(event, MultipartSegment):
                begun.append(event)
                self._contents.append((event, bytearray()))
            elif event:
                value = self._contents[-1][1]
                value.extend(event[: MAX_FIELD_BYTES - len(value)])
        return begun

    def fields(self) -> dict[str, str]:
        """The values of the text fields by their names."""
        texts = [(part, value) for part, value in self._contents if not part_file_name(part)]
        return {part.name: value.decode("utf-8", "replace") for part, value in texts}


def _not_a_form() -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, translate("The request is not a form with a file in it."))
