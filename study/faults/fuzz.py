"""Bad input in process: every parser of what comes from outside, with input that was honest and then was spoiled.

`python -m study.faults.fuzz <inputs> <seed>` in a copy of the project; prints the rows as JSON. A parser may refuse,
in the way that it says; whatever else it raises, or takes more than SLOW_SECONDS for, is wrong, and told with its
input.
"""

import contextlib
import io
import json
import os
import random
import shutil
import socket
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from http.client import HTTPException, parse_headers
from pathlib import Path
from types import SimpleNamespace

from study.faults.crashes import BOUNDARY, SONG
from webapp import jobs, names, script, sounds, uploads, visitors, words
from webapp.metadata import flac, id3, tagging, tags
from webapp.refusal import Refusal
from webapp.serving import files, guard, head

SLOW_SECONDS = 2.0  # of the processor
TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"--",
    b'"',
    b";",
    b"=",
    b"%",
    b"\\",
    b"../",
    b"CON",
    b"\xff\xfe",
    b"\xe2\x80\xae",
]
TOKENS += [
    b"--" + BOUNDARY.encode(),
    b"\r\n\r\n",
    b"filename",
    b"9" * 30,
    b"-1",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"A" * 4096,
]
TOKENS += [b"LIST", b"id3 ", b"data", b"ds64", b"RF64", b"RIFX", b"bytes=", b"q=", b",", b":", b" "]
HEAD = b'Content-Disposition: form-data; name="filename"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
EDGE = b"--" + BOUNDARY.encode()
FORM = EDGE + b"\r\n" + HEAD + SONG[:200] + b"\r\n" + EDGE + b"--\r\n"
REQUEST = b"POST /cgi-bin/upload.py HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nRange: bytes=0-5\r\n\r\nhello"
PICTURE = b"\0image/png\0\3\0\x89PNG\r\n\x1a\n" + bytes(20)
FRAMES = (
    struct.pack(">4sIH", b"TIT2", 7, 0) + b"\1\xff\xfea\0b\0" + struct.pack(">4sIH", b"APIC", len(PICTURE), 0) + PICTURE
)
ID3 = b"ID3\3\0\0" + struct.pack(">I", len(FRAMES)) + FRAMES
TAGGED = SONG[:-26] + SONG[-26:] + b"id3 " + struct.pack("<I", len(ID3)) + ID3
FLAC = b"fLaC\0\0\0\x22" + bytes(34) + b"\x84\0\0\x0c" + struct.pack("<I", 4) + b"test" + bytes(4) + b"\xff\xf8"


def main() -> None:
    nb_inputs, seed = map(int, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        trials = _trials(Path(folder))
        rows = [_row(name, *trial, nb_inputs // len(trials), f"{seed} {name}") for name, trial in trials.items()]
    print(json.dumps(rows))


def _trials(folder: Path) -> dict[str, tuple]:
    """What is tried → the honest inputs, what is done with each, and what it may raise."""
    song, flac_file = folder / "song.wav", folder / "a.flac"
    return {
        "form with a file (uploads)": ([FORM, FORM * 2], lambda raw: _take_in(folder / "form", raw), (Refusal,)),
        "form of a button (script)": ([b"job=" + b"0" * 32 + b"&back=songs", b"job=%C3%BC&job=+"], _button, ()),
        "file's name (uploads, names)": ([b"a.wav", "歌\u202e.wav".encode(), b"C:\\CON"], _name, ()),
        "request's head (head, guard)": ([REQUEST, REQUEST.replace(b"\r\n", b"\n")], _head, (Refusal, HTTPException)),
        "wav's head (sounds)": ([SONG, _rf64(), SONG[:40] + bytes(4)], lambda raw: _check(song, raw), (Refusal,)),
        "tags of a wav (riff, tags)": ([TAGGED, TAGGED.replace(b"RIFF", b"RIFX")], lambda raw: _tags(song, raw), ()),
        "tags into a stem (riff, tagging)": ([SONG, TAGGED, _rf64()], lambda raw: _put(song, raw), (ValueError,)),
        "ID3 (id3)": ([ID3, ID3.replace(b"\3", b"\4", 1), ID3.replace(b"\3", b"\2", 1)], id3.read, ID3_MAY),
        "FLAC (flac)": ([FLAC], lambda raw: _put_flac(flac_file, raw), (ValueError,)),
        "Range and its kin (files)": ([b"bytes=0-5", b"bytes=-5", b"bytes=9-", b"bytes=0-1,2-3"], _range, ()),
        "Cookie (visitors)": ([b"visitor=" + b"0" * 64, b"a=b; visitor=" + b"f" * 64], _cookie, ()),
        "Accept-Language (words)": ([b"uk,en;q=0.5", b"*;q=0.1, uk-UA;q=1.000"], _language, ()),
        "a job's state file (jobs)": (
            [b'{"id": "a", "state": "done", "name": "x", "seconds": 1.0}'],
            _state,
            (Refusal,),
        ),
    }


CHARSETS = ("utf-8", "utf-7", "utf-16", "idna", "punycode", "base64", "unicode_escape", "nonsense")
ID3_MAY = (ValueError, IndexError, struct.error)


def _row(name: str, honest: list[bytes], deed: Callable, may_raise: tuple, nb_inputs: int, seed: str) -> dict:
    """Try `nb_inputs` spoiled inputs; the same seed makes the same ones."""
    rng = random.Random(zlib.crc32(seed.encode()))
    found = []
    for raw in (spoiled(rng, rng.choice(honest)) for _ in range(nb_inputs)):
        begin = time.process_time()
        try:
            deed(raw)
        except may_raise:
            pass
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {error}", "input": repr(raw[:2000])})
        if time.process_time() - begin > SLOW_SECONDS:
            found.append({"error": f"took {time.process_time() - begin:.1f} s", "input": repr(raw[:2000])})
    return {"what": name, "trials": nb_inputs, "found": found[:20]}


def spoiled(rng: random.Random, raw: bytes) -> bytes:
    """Some bytes changed, cut out, said twice, or put in."""
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        start = rng.randrange(len(raw) + 1)
        end = min(len(raw), start + rng.choice((0, 1, 2, 4, 8, 100)))
        instead = rng.choice((b"", rng.randbytes(end - start), rng.choice(TOKENS), raw[start:end] * 2))
        raw = raw[:start] + instead + raw[end:]
    return raw


def _rf64() -> bytes:
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, len(SONG), 4096, 1024, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + SONG[12:]


class Broken(Exception):
    """A parser gave back what must never come out of it."""


def _expect(holds: bool) -> None:
    if not holds:
        raise Broken


def _take_in(folder: Path, raw: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    body, size = io.BytesIO(raw), max(1, len(raw) % 97)
    request = SimpleNamespace(
        content_type=f"multipart/form-data; boundary={BOUNDARY}", content_length=len(raw), read=lambda: body.read(size)
    )
    name = uploads._store(request, folder / "song.wav")
    _expect("/" not in name)
    _expect([path.name for path in folder.iterdir()] == ["song.wav"])


def _button(raw: bytes) -> None:
    charset = CHARSETS[len(raw) % len(CHARSETS)]
    for kind in (f"application/x-www-form-urlencoded; charset={charset}", f"multipart/form-data; boundary={BOUNDARY}"):
        os.environ |= {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(raw))}
        request, body = script.Request(), io.BytesIO(raw)
        request.read = body.read
        with contextlib.suppress(Refusal):
            request.field("job")


def _name(raw: bytes) -> None:
    shown = uploads.shown_name(raw.decode("utf-8", "surrogateescape"))
    job = jobs.Job(id="0" * 32, state="done", name=shown, seconds=1.0)
    stem = names.stem(job, "vocals", ".wav")
    names.attachment(stem).encode("ascii")
    _expect(len(stem.encode()) < 255)
    _expect(not set(stem) & set('/\\\0\r\n"<>|:*?'))
    _expect(not names.RESERVED.match(names.song(job)))


def _head(raw: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw[:60000])
        theirs.shutdown(socket.SHUT_WR)
        reader = head.HeadReader(ours)
        line = reader.readline(65537).decode("iso-8859-1")
        headers = parse_headers(reader)
        guard.check((line.split() or [""])[0], headers)


def _check(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    sound = sounds.check(path)
    _expect(sound.seconds > 0)


def _tags(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    tags.are_in(path)
    found = tags.read(path)
    tags.info_chunk(found)
    id3.written(found.texts, found.cover)


def _put(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    tagging._put(path, tags.Tags({"TITLE": ["a"]}))


def _put_flac(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    flac.put(path, {"TITLE": ["a"]}, PICTURE)


def _range(raw: bytes) -> None:
    text = raw.decode("latin-1")
    headers = {"Range": text, "If-Range": text, "If-None-Match": text, "If-Modified-Since": text}
    for given in ({"Range": text}, headers):
        handler = SimpleNamespace(command="GET", headers=given)
        files._is_known(given, '"0-0"', 10**18)
        _, start, end = files._part(handler, '"0-0"', 10**18, 10)
        _expect(0 <= start <= end <= 10)


def _cookie(raw: bytes) -> None:
    visitor = visitors.known(raw.decode("latin-1"))
    _expect(visitor == "" or len(visitor) == 64)


def _language(raw: bytes) -> None:
    words.listen(raw.decode("latin-1"))
    _expect(words.language.get() in words.languages())


def _state(raw: bytes) -> None:
    folder = jobs.UPLOADS / ("0" * 32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_bytes(raw)
    jobs.load("0" * 32)


if __name__ == "__main__":
    main()
