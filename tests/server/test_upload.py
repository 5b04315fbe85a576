"""Uploads: file contents, file names, forms and lengths, valid and invalid."""

import re
import shutil
import socket
import subprocess
import time
import zlib

import pytest

from tests.support import wave_files
from tests.support.client import parse, read_reply, upload_head
from tests.support.forms import CONTENT_TYPE, DELIMITER, END, field_part, file_header, file_part, part
from tests.support.project import job_folders
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(200)
ZIP = b"PK\x03\x04" + bytes(26) + zlib.compress(bytes(1000))

NOT_A_SONG = {
    "empty": (b"", "This file is empty."),
    "one byte": (b"R", "cannot be read as a sound file"),
    "text": (b"This is not a song.\n" * 100, "cannot be read as a sound file"),
    "zeros": (bytes(10_000), "cannot be read as a sound file"),
    "picture": (PNG, "cannot be read as a sound file"),
    "archive": (ZIP, "cannot be read as a sound file"),
    "page": (b"<!doctype html><title>x</title>", "cannot be read as a sound file"),
    "head alone": (wave_files.wav(b""), "There is no sound in this file."),
    "head cut off": (wave_files.wav()[:30], "cannot be read as a sound file"),
    "no data chunk": (wave_files.wav()[:36], "cannot be read as a sound file"),
    "promise alone": (wave_files.wav(b"", data_length=1000), "There is no sound in this file."),
    "nine channels": (wave_files.encoded(nb_channels=9), "This file has 9 channels."),
    "rate zero": (wave_files.wav().replace(b"\x44\xac\0\0\x10", b"\0\0\0\0\x10"), ""),
}

SDS = b"\xf0\x7e\x00\x01\x00\x00\x10" + bytes(14) + b"\xf7" + b"\xf0\x7e\x00\x02" + bytes(123)
NOT_A_SONG["SDS"] = (SDS, "cannot be read as a sound file")  # libsndfile prints what it does not like in this format

A_SONG = {
    "8 bit": wave_files.encoded(subtype="PCM_U8"),
    "16 bit": wave_files.encoded(),
    "24 bit": wave_files.encoded(subtype="PCM_24"),
    "32 bit": wave_files.encoded(subtype="PCM_32"),
    "float": wave_files.encoded(subtype="FLOAT"),
    "double": wave_files.encoded(subtype="DOUBLE"),
    "mono": wave_files.encoded(nb_channels=1),
    "surround": wave_files.encoded(nb_channels=6),
    "extensible": wave_files.encoded(format="WAVEX"),
    "big-endian": wave_files.encoded(endian="BIG"),
    "RF64": wave_files.encoded(format="RF64"),
    "8 kHz": wave_files.encoded(8000),
    "192 kHz": wave_files.encoded(192_000),
    "one sample": wave_files.encoded(nb_samples=1),
    "streamed, length 0": wave_files.wav(data_length=0, riff_length=0),
    "streamed, length unknown": wave_files.wav(
        data_length=wave_files.UNKNOWN_LENGTH, riff_length=wave_files.UNKNOWN_LENGTH
    ),
    "mp3": wave_files.encoded(format="MP3"),
    "ogg": wave_files.encoded(format="OGG"),
    "flac": wave_files.encoded(format="FLAC"),
    "aiff": wave_files.encoded(format="AIFF"),
    "chunks behind": wave_files.wav() + b"LIST\x04\0\0\0INFO",
}

CUT_OFF = {
    "in the middle": wave_files.wav()[: 44 + 2000],
    "one sample missing": wave_files.wav()[:-4],
    "in the middle of a sample": wave_files.wav()[:-3],
    "RF64": wave_files.rf64(data_length=1 << 33),
}

CUT_OFF_NOTE = "The file ends before its header says so"

FIELD = field_part("other", "value")
STREAMED = wave_files.wav(data_length=wave_files.UNKNOWN_LENGTH, riff_length=wave_files.UNKNOWN_LENGTH)
JSON = {"Accept": "application/json"}
URLENCODED = "application/x-www-form-urlencoded"

HOSTILE_FORMS = {
    "nothing": (CONTENT_TYPE, b""),
    "no type": ("", file_part(SONG) + END),
    "another type": ("application/json", b'{"filename": "song.wav"}'),
    "fields alone": ("application/x-www-form-urlencoded", b"filename=song.wav"),
    "no boundary": ("multipart/form-data", file_part(SONG) + END),
    "empty boundary": ("multipart/form-data; boundary=", file_part(SONG) + END),
    "wrong boundary": ("multipart/form-data; boundary=another", file_part(SONG) + END),
    "boundary too long": ("multipart/form-data; boundary=" + "x" * 5000, file_part(SONG) + END),
    "mixed": (CONTENT_TYPE.replace("form-data", "mixed"), file_part(SONG) + END),
    "no end": (CONTENT_TYPE, file_part(SONG)),
    "cut off in the file": (CONTENT_TYPE, file_part(SONG)[:500]),
    "cut off in the head": (CONTENT_TYPE, file_part(SONG)[:40]),
    "no head": (CONTENT_TYPE, DELIMITER + b"\r\n\r\n" + SONG + b"\r\n" + END),
    "head too long": (CONTENT_TYPE, part(file_header() + b"X-Long: " + b"x" * 10_000 + b"\r\n", SONG) + END),
    "too many heads": (CONTENT_TYPE, part(file_header() + b"X-Many: x\r\n" * 100, SONG) + END),
    "line ends of another world": (CONTENT_TYPE, (file_part(SONG) + END).replace(b"\r\n", b"\n")),
    "two lengths": (CONTENT_TYPE, part(file_header() + b"Content-Length: 1\r\n", SONG) + END),
    "many parts": (CONTENT_TYPE, FIELD * 1000 + file_part(SONG) + END),
    "attachment": (CONTENT_TYPE, part(file_header().replace(b"form-data", b"attachment"), SONG) + END),
}
NO_FILE = {
    "the end alone": END,
    "no file chosen": part(file_header().replace(b"song.wav", b""), b"") + END,
    "a field, not a file": part(b'Content-Disposition: form-data; name="filename"\r\n', SONG) + END,
    "no name": part(b"Content-Disposition: form-data\r\n", SONG) + END,
}

NAMES = {
    "../../x.wav": "x.wav",
    "/etc/passwd": "passwd",
    "C:\\Users\\me\\My Song.wav": "My Song.wav",
    "..\\..\\x.wav": "x.wav",
    "x\0y.wav": "xy.wav",
    "x\ty\x1b[31m.wav": "xy[31m.wav",
    "say \u202evaw.gnos\u2066\u061c.wav": "say vaw.gnos.wav",
    "歌 – Ñandú – песня – أغنية – 🎵.wav": "歌 – Ñandú – песня – أغنية – 🎵.wav",
    "<script>alert(1)<\\script>": "script>",
    "<b>&amp;'$job.wav": "<b>&amp;'$job.wav",
    "; rm -rf ~ #$(reboot)`id`.wav": "; rm -rf ~ #$(reboot)`id`.wav",
    "é" * 125 + ".wav": "é" * 125 + ".wav",
    "-.wav": "-.wav",
    "..": "..",
    "   ": "song.wav",
    "folder/": "song.wav",
    'say "hello".wav': 'say "hello".wav',
    "two\r\nlines.wav": "twolines.wav",
}


@pytest.fixture(scope="module")
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture
def leaves_nothing(fake_engine_server):
    """Check that a test leaves no folder in uploads/ that was not there."""
    before = job_folders(fake_engine_server.home)
    yield
    wait_until(lambda: job_folders(fake_engine_server.home) == before)


def post(client, content_type: str, body: bytes, **headers: str):
    headers["Content-Type"] = content_type
    return client.request("POST", "/cgi-bin/upload.py", body, headers)


# Content


@pytest.mark.parametrize("what", NOT_A_SONG)
def test_files_that_are_not_audio_are_refused(client, leaves_nothing, what):
    content, sentence = NOT_A_SONG[what]
    page = client.upload(content)
    assert page.status == 400
    shown = re.search('role="alert">(.*)</p>', page.text)[1]
    reply = client.upload(content, json_wanted=True)
    assert reply.status == 400
    assert list(reply.json()) == ["error"]
    assert sentence in reply.json()["error"]
    assert reply.json()["error"] == shown
    assert shown.endswith(".")
    assert "uploads" not in shown


@pytest.mark.parametrize("what", A_SONG)
def test_every_kind_of_wav_is_accepted(client, what):
    reply = client.upload(A_SONG[what], json_wanted=True)
    assert reply.status == 201
    assert reply.json()["note"] == ""


@pytest.mark.parametrize("what", ["8 kHz", "192 kHz", "16 bit", "streamed, length 0", "streamed, length unknown"])
def test_the_length_is_given_in_seconds(client, what):
    rate = {"8 kHz": 8000, "192 kHz": 192_000}.get(what, 44100)
    nb_samples = 1000 if what.startswith("streamed") else 2000
    seconds = client.upload(A_SONG[what], json_wanted=True).json()["seconds"]
    assert seconds == pytest.approx(nb_samples / rate, abs=0.0006)


@pytest.mark.parametrize("what", CUT_OFF)
def test_a_truncated_file_is_accepted_with_a_note(client, what):
    content = CUT_OFF[what]
    reply = client.upload(content, json_wanted=True)
    assert reply.status == 201
    assert CUT_OFF_NOTE in reply.json()["note"]
    assert reply.json()["seconds"] == pytest.approx((len(content) - 44) // 4 / 44100, abs=0.001)
    assert CUT_OFF_NOTE in client.get(f"/cgi-bin/uploaded.py?job={reply.json()['job']}").text


# Names


@pytest.mark.parametrize("raw_name", NAMES)
def test_the_file_name_is_shown_and_never_used_as_a_path(client, fake_engine_server, raw_name):
    reply = post(client, CONTENT_TYPE, part(file_header(raw_name), SONG) + END, Accept="application/json")
    assert reply.status == 201
    state = reply.json()
    assert state["name"] == NAMES[raw_name]
    assert state["name"] not in [path.name for path in fake_engine_server.home.rglob("*") if path.name != "song.wav"]
    page = client.get(f"/cgi-bin/uploaded.py?job={state['job']}").text
    assert "<b>" not in page
    assert "<script>" not in page


# Forms


@pytest.mark.parametrize("what", HOSTILE_FORMS)
def test_malformed_forms_are_refused(client, leaves_nothing, what):
    content_type, body = HOSTILE_FORMS[what]
    reply = post(client, content_type, body, Accept="application/json")
    assert reply.status == 400
    assert reply.json() == {"error": "The request is not a form with a file in it."}


@pytest.mark.parametrize("what", NO_FILE)
def test_a_form_without_a_file_is_refused(client, leaves_nothing, what):
    reply = post(client, CONTENT_TYPE, NO_FILE[what], Accept="application/json")
    assert reply.status == 400
    assert reply.json()["error"].startswith("No file was chosen.")


@pytest.mark.parametrize("content", [SONG, wave_files.wav(bytes(200_000)), STREAMED])
def test_a_form_with_two_files_is_refused(client, leaves_nothing, content):
    reply = post(client, CONTENT_TYPE, file_part(content) + file_part(content) + END, Accept="application/json")
    assert reply.status == 400
    assert "one file" in reply.json()["error"]


@pytest.mark.parametrize("length", [10, 70_000, 300_000])
def test_a_field_behind_the_file_does_not_become_sound(client, fake_engine_server, length):
    reply = post(client, CONTENT_TYPE, file_part(STREAMED) + field_part("more", "x" * length) + END, **JSON)
    assert reply.status == 201
    assert (fake_engine_server.home / "uploads" / reply.json()["job"] / "song.wav").read_bytes() == STREAMED


@pytest.mark.parametrize("tail", [b"x", b"-x", b"\n", b" "])
def test_a_delimiter_within_the_file_is_refused(client, leaves_nothing, tail):
    body = file_part(STREAMED + b"\r\n" + DELIMITER + tail + bytes(100_000)) + END
    assert post(client, CONTENT_TYPE, body).status == 400


@pytest.mark.parametrize("length", [0, 1, (1 << 18) - 300, (1 << 18) - 299, 1 << 18, 700_001])
def test_a_file_of_any_length_arrives_as_it_was_sent(client, fake_engine_server, length):
    """Its end may be anywhere in the pieces that are read."""
    content = wave_files.wav(bytes([13, 10, 45, 45]) * (length // 4) + bytes(4))
    job = post(client, CONTENT_TYPE, file_part(content) + END, **JSON).json()["job"]
    assert (fake_engine_server.home / "uploads" / job / "song.wav").read_bytes() == content


def test_a_part_may_state_its_length(client):
    header = file_header() + b"Content-Length: %d\r\n" % len(SONG)
    assert post(client, CONTENT_TYPE, part(header, SONG) + END).status == 303


# Programs


HEADERS_OF_PROGRAMS = {
    "curl -F file=@": (b'Content-Disposition: form-data; name="file"; filename="song.wav"', "song.wav"),
    "curl on Windows": (b'Content-Disposition: form-data; name="filename"; filename="caf\xe9.wav"', "café.wav"),
    ".NET": (
        b"Content-Disposition: form-data; name=filename; filename=song.wav; filename*=utf-8''s%C3%B6ng.wav",
        "söng.wav",
    ),
    "filename* alone": (b"Content-Disposition: form-data; name=\"filename\"; filename*=UTF-8''%D0%BF.wav", "п.wav"),
    "PowerShell": (b'Content-Disposition: form-data; name=filename; filename="=?utf-8?B?Y2Fmw6kud2F2?="', "café.wav"),
    "Java, by an encoded word": (
        b'Content-Disposition: form-data; name="f"; filename="=?UTF-8?Q?=D0=BF.wav?="',
        "п.wav",
    ),
    "no known charset": (
        b"Content-Disposition: form-data; name=\"filename\"; filename*=x-none''a.wav; filename=a.wav",
        "a.wav",
    ),
    "no encoded word": (b'Content-Disposition: form-data; name="filename"; filename="=?x?B?a.wav"', "=?x?B?a.wav"),
}


@pytest.mark.parametrize("program", HEADERS_OF_PROGRAMS)
def test_the_forms_of_many_programs_are_taken(client, program):
    header, name = HEADERS_OF_PROGRAMS[program]
    reply = post(client, CONTENT_TYPE, part(header + b"\r\n", SONG) + END, **JSON)
    assert reply.status == 201, reply.text
    assert reply.json()["name"] == name


@pytest.mark.parametrize("content_type", ["audio/wav", "application/octet-stream", "", URLENCODED])
def test_a_body_that_is_the_file_itself_is_taken(client, fake_engine_server, content_type):
    headers = {"Content-Type": content_type, **JSON}
    reply = client.request("POST", "/cgi-bin/upload.py?filename=My%20song.wav", SONG, headers)
    assert reply.status == 201, reply.text
    assert reply.json()["name"] == "My song.wav"
    assert (fake_engine_server.home / "uploads" / reply.json()["job"] / "song.wav").read_bytes() == SONG


def chunked(body: bytes, size: int, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in pieces) + b"0\r\n" + trailer + b"\r\n"


@pytest.mark.parametrize(
    ("size", "extension", "trailer"),
    [(1, b"", b""), (1000, b"", b""), (300_000, b"", b""), (5000, b";a=b", b""), (5000, b"", b"X: y\r\n")],
)
def test_an_upload_in_chunks_is_taken(client, fake_engine_server, size, extension, trailer):
    content = SONG if size == 1 else wave_files.wav(bytes(400_000))
    body = chunked(file_part(content) + END, size, extension, trailer)
    answer = client.raw(upload_head("Transfer-Encoding: chunked", "Accept: application/json") + body)
    reply = parse(answer)
    assert reply.status == 201, reply.text
    assert (fake_engine_server.home / "uploads" / reply.json()["job"] / "song.wav").read_bytes() == content


def test_a_program_that_streams_is_taken(client):
    """As requests, Node and `curl -T -` send what they read from a pipe: a PUT or POST of chunks."""
    pieces = [SONG[start : start + 999] for start in range(0, len(SONG), 999)]
    for method in ("PUT", "POST"):
        reply = client.request(method, "/cgi-bin/upload.py?filename=a.wav", iter(pieces), {**JSON})
        assert (reply.status, reply.json()["name"]) == (201, "a.wav")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_can_send_from_a_pipe(client):
    command = ["curl", "-s", "-H", "Accept: application/json", "-T", "-"]
    command.append(f"http://127.0.0.1:{client.port}/cgi-bin/upload.py?filename=piped.wav")
    told = subprocess.run(command, input=SONG, capture_output=True, check=True, timeout=30)
    assert b'"name": "piped.wav"' in told.stdout


@pytest.mark.parametrize(
    "body",
    [b"x\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloX", b"5" * 5000, b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 100],
)
def test_malformed_chunks_are_refused(client, leaves_nothing, body):
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        connection.sendall(upload_head("Transfer-Encoding: chunked") + body)
        connection.shutdown(socket.SHUT_WR)
        assert read_reply(connection).status == 400


def test_a_form_in_chunks_is_taken_and_bounded(client):
    job = client.uploaded_job(SONG)
    headers = {"Content-Type": URLENCODED, **JSON}
    assert client.request("POST", "/cgi-bin/delete.py", iter([b"job=" + b"x" * 100_000]), headers).status == 413
    assert client.request("POST", "/cgi-bin/delete.py", iter([f"job={job}".encode()]), headers).status == 200


def test_an_upload_in_chunks_is_limited_too(fake_engine_home, start_server):
    client = start_server("--max-upload-gb=0.0002").client()
    pieces = (bytes(10_000) for _ in range(100))
    reply = client.request("PUT", "/cgi-bin/upload.py", pieces, {"Content-Type": "audio/wav", **JSON})
    assert reply.status == 413
    assert job_folders(fake_engine_home) == set()


@pytest.mark.parametrize(
    ("before", "behind"),
    [(b"", b"\r\n"), (b"", b"an epilogue"), (b"a preamble\r\n", b""), (FIELD, b""), (b"", b"\r\n" * 600)],
)
def test_preamble_epilogue_and_other_fields_are_ignored(client, before, behind):
    body = before + file_part(SONG) + END + behind
    assert post(client, CONTENT_TYPE, body).status == 303


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, len(END), len(END) + 1, len(END) + 2, len(END) + 3])
def test_a_form_may_arrive_in_two_pieces(client, cut):
    """TCP does not keep message boundaries, so the place of the cut must not matter."""
    body = file_part(SONG) + END
    with client.open_upload(len(body)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(body[:-cut])
        time.sleep(0.05)
        connection.sendall(body[-cut:])
        assert read_reply(connection).status == 303


def test_an_upload_may_arrive_byte_by_byte(client):
    body = file_part(wave_files.wav(bytes(40))) + END
    with client.open_upload(len(body)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        assert read_reply(connection).status == 303


# Sizes


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Length: 9663676416"], 413),
        (["Content-Length: 9663676416", "Expect: 100-continue"], 413),
        (["Content-Length: 999999999999999999"], 413),
        ([], 411),
        (["Expect: 100-continue"], 411),
        (["Content-Length: 5", "Content-Length: 6"], 400),
        (["Content-Length: 5", "Content-Length: 5"], 400),
        (["Content-Length: 5, 5"], 400),
        (["Content-Length: -1"], 400),
        (["Content-Length: +5"], 400),
        (["Content-Length: 1e3"], 400),
        (["Content-Length: 0x10"], 400),
        (["Content-Length: \xb2"], 400),
        (["Content-Length: " + "9" * 5000], 400),
        (["Content-Length:"], 400),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 501),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], 400),
    ],
)
def test_invalid_lengths_are_refused_before_the_body_is_read(client, leaves_nothing, headers, status):
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:  # half of idle_seconds
        connection.sendall(upload_head(*headers))
        reply = read_reply(connection)
    assert reply.status == status
    assert 'role="alert"' in reply.text


def test_expect_100_continue_is_answered(client):
    body = file_part(SONG) + END
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(upload_head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_reply(connection).status == 303


def test_long_forms_are_refused(client):
    reply = client.post("/cgi-bin/delete.py", json_wanted=True, job="x" * 100_000)
    assert reply.status == 413


def test_an_upload_to_a_full_disk_gets_503(home, start_server, song):
    server = start_server(spare_disk_bytes=1 << 60)
    reply = server.client().upload(song(0.1), json_wanted=True)
    assert reply.status == 503
    assert "no space" in reply.json()["error"]
    assert not job_folders(home)


def test_the_log_holds_no_traceback(fake_engine_server):
    """Last in this module: the log of all tests above."""
    assert "Traceback" not in fake_engine_server.log.read_text()
