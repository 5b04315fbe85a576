"""The file in an upload's form, however the form is cut into pieces."""

import io
from types import SimpleNamespace

import pytest

from tests.support.forms import BOUNDARY, CONTENT_TYPE, DELIMITER, END, field_part, file_part
from webapp.cgi.upload_body import MAX_FIELD_BYTES, Form, open_body
from webapp.pages.http_errors import HTTPError

LOOKALIKES = [
    b"",
    b"\r\n",
    b"\r\n--",
    (b"\r\n--" + BOUNDARY.encode()[:-1]) * 3,
    b"\r\n\r\n" + DELIMITER[:-1] + b"\r",
    bytes(500),
]


def read_file(body: bytes, size: int) -> bytes:
    stream = io.BytesIO(body)
    request = SimpleNamespace(content_type=CONTENT_TYPE, read=lambda: stream.read(size))
    name, pieces = open_body(request, Form())
    assert name == "song.wav"
    content = b"".join(pieces)
    assert stream.read() == b""
    return content


@pytest.mark.parametrize("content", LOOKALIKES)
def test_the_file_is_what_was_sent_for_every_size_of_pieces(content):
    body = file_part(content) + field_part("more", "x" * 300) + END
    for size in range(1, len(body) + 1):
        assert read_file(body, size) == content


def test_a_form_without_an_end_is_refused_for_every_size_of_pieces():
    body = file_part(b"\r\n--") + field_part("more", "x") + DELIMITER
    for size in range(1, len(body) + 1):
        with pytest.raises(HTTPError):
            read_file(body, size)


def test_a_second_file_is_refused_before_it_is_read():
    body = file_part(b"one") + file_part(bytes(100_000)) + END
    stream = io.BytesIO(body)
    request = SimpleNamespace(content_type=CONTENT_TYPE, read=lambda: stream.read(100))
    _, pieces = open_body(request, Form())
    with pytest.raises(HTTPError):
        list(pieces)
    assert len(stream.read()) > 99_000


def test_the_fields_around_the_file_are_given_and_bounded():
    before, after = field_part("model", "starter"), field_part("stems", "x" * 100_000)
    stream, form = io.BytesIO(before + file_part(b"RIFF") + after + END), Form()
    _, pieces = open_body(SimpleNamespace(content_type=CONTENT_TYPE, read=lambda: stream.read(100)), form)
    assert b"".join(pieces) == b"RIFF"
    assert form.fields() == {"model": "starter", "stems": "x" * MAX_FIELD_BYTES}
