"""The parsers of external data that are fuzzed: valid inputs, a function that parses one and checks the result, and the
exceptions that the parser may raise."""

import contextlib
import io
import os
import shutil
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.client import HTTPException, parse_headers
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from audiofiles import flac_tags, id3, metadata
from audiofiles.metadata import Metadata
from audiofiles.tags import Tags
from study.robustness.sample_song import BOUNDARY, SONG
from webapp import paths, translation
from webapp.audio import wav_check
from webapp.cgi import upload, upload_name
from webapp.cgi.chunked import ChunkedBody
from webapp.cgi.request import Request
from webapp.cgi.upload_body import Form
from webapp.errors import AudioError, AudioTooLong, JobNotFound
from webapp.jobs import file_names, store
from webapp.jobs.job import Job, JobState
from webapp.limits import Limits
from webapp.pages import visitors
from webapp.pages.attachment import attachment
from webapp.pages.http_errors import HTTPError, upload_interrupted
from webapp.server import file_response, request_checks, request_head

DELIMITER = b"--" + BOUNDARY.encode()
CHUNKS = b"5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n"
PART_HEADERS = b'Content-Disposition: form-data; name="filename"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
FORM = DELIMITER + b"\r\n" + PART_HEADERS + SONG[:200] + b"\r\n" + DELIMITER + b"--\r\n"
REQUEST = b"POST /cgi-bin/upload.py HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nRange: bytes=0-5\r\n\r\nhello"
PICTURE = b"\0image/png\0\3\0\x89PNG\r\n\x1a\n" + bytes(20)
ID3_FRAMES = struct.pack(">4sIH", b"TIT2", 7, 0) + b"\1\xff\xfea\0b\0"
ID3_FRAMES += struct.pack(">4sIH", b"APIC", len(PICTURE), 0) + PICTURE
ID3 = b"ID3\3\0\0" + struct.pack(">I", len(ID3_FRAMES)) + ID3_FRAMES
TAGGED_SONG = SONG + b"id3 " + struct.pack("<I", len(ID3)) + ID3
FLAC = b"fLaC\0\0\0\x22" + bytes(34) + b"\x84\0\0\x0c" + struct.pack("<I", 4) + b"test" + bytes(4) + b"\xff\xf8"
RF64_SIZES = struct.pack("<4sIQQQI", b"ds64", 28, len(SONG), 4096, 1024, 0)
RF64 = b"RF64\xff\xff\xff\xffWAVE" + RF64_SIZES + SONG[12:]
STATE_FILE = b'{"id": "a", "state": "done", "name": "x", "seconds": 1.0}'
CHARSETS = ("utf-8", "utf-7", "utf-16", "idna", "punycode", "base64", "unicode_escape", "nonsense")


@dataclass(frozen=True)
class Target:
    """A parser that is fuzzed. `parse` may only raise the exceptions in `allowed`."""

    name: str
    valid: list[bytes]
    parse: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...] = ()


def targets(folder: Path) -> list[Target]:
    """Return all targets; those that parse files write them to `folder`."""
    song = folder / "song.wav"
    id3_errors = (ValueError, IndexError, struct.error)
    return [
        Target("multipart form with a file", [FORM, FORM * 2], partial(_parse_upload, folder / "form"), (HTTPError,)),
        Target("form without a file", [b"job=" + b"0" * 32 + b"&back=songs", b"job=%C3%BC&job=+"], _parse_form),
        Target("body in chunks", [CHUNKS, CHUNKS * 2], _parse_chunks, (HTTPError,)),
        Target("file name", [b"a.wav", "歌\u202e.wav".encode(), b"C:\\CON"], _parse_file_name),
        Target(
            "request header",
            [REQUEST, REQUEST.replace(b"\r\n", b"\n")],
            _parse_request_header,
            (HTTPError, HTTPException),
        ),
        Target("WAV header", [SONG, RF64, SONG[:40] + bytes(4)], partial(_check_wav, song), (AudioError, AudioTooLong)),
        Target("reading a WAV's tags", [TAGGED_SONG, TAGGED_SONG.replace(b"RIFF", b"RIFX")], partial(_read_tags, song)),
        Target("writing tags to a stem", [SONG, TAGGED_SONG, RF64], partial(_write_tags, song), (ValueError,)),
        Target("ID3", [ID3, ID3.replace(b"\3", b"\4", 1), ID3.replace(b"\3", b"\2", 1)], id3.read, id3_errors),
        Target("tags of a FLAC file", [FLAC], partial(_write_flac_tags, folder / "song.flac"), (ValueError,)),
        Target(
            "`Range` and the conditional headers",
            [b"bytes=0-5", b"bytes=-5", b"bytes=9-", b"bytes=0-1,2-3"],
            _parse_range,
        ),
        Target("`Cookie`", [b"visitor=" + b"0" * 64, b"a=b; visitor=" + b"f" * 64], _parse_cookie),
        Target("`Accept-Language`", [b"uk,en;q=0.5", b"*;q=0.1, uk-UA;q=1.000"], _parse_language),
        Target("state file of a job", [STATE_FILE], _parse_state, (JobNotFound,)),
    ]


class CheckFailed(Exception):
    """A parser returned a value that it must never return."""


def _expect(condition: bool) -> None:
    if not condition:
        raise CheckFailed


def _parse_upload(folder: Path, content: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    body, piece_bytes = io.BytesIO(content), max(1, len(content) % 97)
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    request = SimpleNamespace(
        content_type=content_type, content_length=len(content), query_name="", read=lambda: body.read(piece_bytes)
    )
    name = upload._store(cast(Any, request), folder / "song.wav", Form())
    _expect("/" not in name)
    _expect([path.name for path in folder.iterdir()] == ["song.wav"])


def _parse_form(content: bytes) -> None:
    charset = CHARSETS[len(content) % len(CHARSETS)]
    for kind in (f"application/x-www-form-urlencoded; charset={charset}", f"multipart/form-data; boundary={BOUNDARY}"):
        os.environ |= {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(content))}
        request = Request()
        request.read = io.BytesIO(content).read  # type: ignore[method-assign]
        with contextlib.suppress(HTTPError):
            request.field("job")


def _parse_chunks(content: bytes) -> None:
    body, piece_bytes = io.BytesIO(content), max(1, len(content) % 97)
    chunks = ChunkedBody(lambda: body.read(piece_bytes) or _end_of_connection())
    decoded = b"".join(iter(chunks.read, b""))
    _expect(len(decoded) < len(content))


def _end_of_connection() -> bytes:
    raise upload_interrupted()


def _parse_file_name(content: bytes) -> None:
    name = upload_name.displayed_name(content.decode("utf-8", "surrogateescape"))
    job = Job(id="0" * 32, state=JobState.DONE, name=name, seconds=1.0)
    stem = file_names.stem_file_name(job, "vocals", ".wav")
    attachment(stem).encode("ascii")
    _expect(len(stem.encode()) < 255)
    _expect(not set(stem) & set('/\\\0\r\n"<>|:*?'))
    _expect(not file_names.RESERVED.match(file_names.song_name(job)))


def _parse_request_header(content: bytes) -> None:
    server, client = socket.socketpair()
    with server, client:
        client.sendall(content[:60000])
        client.shutdown(socket.SHUT_WR)
        reader = request_head.HeadReader(server, Limits())
        line = reader.readline(65537).decode("iso-8859-1")
        headers = parse_headers(cast(Any, reader))
        request_checks.check((line.split() or [""])[0], headers, Limits())


def _check_wav(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _expect(wav_check.check(path).seconds > 0)


def _read_tags(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    metadata.exists(path)
    metadata.read(path).for_part(100).for_stem("vocals", "song").wav_chunks()


def _write_tags(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    metadata.write_wav(path, Metadata(tags=Tags({"TITLE": ["a"]})))


def _write_flac_tags(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with path.open("rb") as file:
        flac_tags.write(file, io.BytesIO(), {"TITLE": ["a"]}, PICTURE)
        flac_tags.read(file)


def _parse_range(content: bytes) -> None:
    text = content.decode("latin-1")
    for names in (("Range",), ("Range", "If-Range", "If-None-Match", "If-Modified-Since")):
        headers = Message()
        for name in names:
            headers[name] = text
        _, start, end = file_response.choose_part("GET", headers, file_response.FileVersion(10, 10**18))
        _expect(0 <= start <= end <= 10)


def _parse_cookie(content: bytes) -> None:
    for is_https in (False, True):
        claimed = visitors.claimed_visitors(content.decode("latin-1"), is_https)
        _expect(all(len(visitor) == 64 for visitor in claimed))


def _parse_language(content: bytes) -> None:
    translation.set_language(content.decode("latin-1"))
    _expect(translation.language.get() in translation.languages())


def _parse_state(content: bytes) -> None:
    folder = paths.UPLOADS / ("0" * 32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_bytes(content)
    store.load("0" * 32)
