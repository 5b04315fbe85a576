"""What is sent and is no song: refused with a sentence, and nothing left behind. What is one: taken."""

import contextlib
import random
import re
import socket
import time
import zlib

import pytest

from tests import waves
from tests.client import BOUNDARY, parse, quoted
from webapp import sounds
from webapp.jobs import ID
from webapp.refusal import Refusal

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(200)
ZIP = b"PK\x03\x04" + bytes(26) + zlib.compress(bytes(1000))

NOT_A_SONG = {
    "empty": (b"", "This file is empty."),
    "one byte": (b"R", "not a sound that can be read"),
    "text": (b"This is not a song.\n" * 100, "not a sound that can be read"),
    "zeros": (bytes(10_000), "not a sound that can be read"),
    "picture": (PNG, "not a sound that can be read"),
    "archive": (ZIP, "not a sound that can be read"),
    "page": (b"<!doctype html><title>x</title>", "not a sound that can be read"),
    "mp3": (waves.written(format="MP3"), "MPEG"),
    "ogg": (waves.written(format="OGG"), "OGG"),
    "flac": (waves.written(format="FLAC"), "FLAC"),
    "aiff": (waves.written(format="AIFF"), "AIFF"),
    "head alone": (waves.wave(b""), "There is no sound in this file."),
    "head cut off": (waves.wave()[:30], "not a sound that can be read"),
    "no data chunk": (waves.wave()[:36], "not a sound that can be read"),
    "promise alone": (waves.wave(b"", data_length=1000), "There is no sound in this file."),
    "nine channels": (waves.written(nb_channels=9), "This file has 9 channels."),
    "rate zero": (waves.wave().replace(b"\x44\xac\0\0\x10", b"\0\0\0\0\x10"), ""),
}

A_SONG = {
    "8 bit": waves.written(subtype="PCM_U8"),
    "16 bit": waves.written(),
    "24 bit": waves.written(subtype="PCM_24"),
    "32 bit": waves.written(subtype="PCM_32"),
    "float": waves.written(subtype="FLOAT"),
    "double": waves.written(subtype="DOUBLE"),
    "mono": waves.written(nb_channels=1),
    "surround": waves.written(nb_channels=6),
    "extensible": waves.written(format="WAVEX"),
    "big-endian": waves.written(endian="BIG"),
    "RF64": waves.written(format="RF64"),
    "8 kHz": waves.written(8000),
    "192 kHz": waves.written(192_000),
    "one sample": waves.written(nb_samples=1),
    "streamed, length 0": waves.wave(data_length=0, riff_length=0),
    "streamed, length unknown": waves.wave(data_length=waves.UNKNOWN, riff_length=waves.UNKNOWN),
    "chunks behind": waves.wave() + b"LIST\x04\0\0\0INFO",
}

CUT_OFF = {
    "in the middle": waves.wave()[: 44 + 2000],
    "one sample missing": waves.wave()[:-4],
    "in the middle of a sample": waves.wave()[:-3],
    "RF64": waves.rf64(promised=1 << 33),
}

CUT_OFF_NOTE = "The file ends before its header says so"

EDGE = b"--" + BOUNDARY.encode()
HEAD = b'Content-Disposition: form-data; name="filename"; filename="song.wav"\r\n'
SONG = waves.wave()


def part(head: bytes = HEAD, content: bytes = SONG) -> bytes:
    return EDGE + b"\r\n" + head + b"\r\n" + content + b"\r\n"


END = EDGE + b"--\r\n"
FORM = "multipart/form-data; boundary=" + BOUNDARY
FIELD = part(b'Content-Disposition: form-data; name="other"\r\n', b"value")

HOSTILE_FORMS = {
    "nothing": (FORM, b""),
    "no type": ("", part() + END),
    "another type": ("application/json", b'{"filename": "song.wav"}'),
    "fields alone": ("application/x-www-form-urlencoded", b"filename=song.wav"),
    "no boundary": ("multipart/form-data", part() + END),
    "empty boundary": ("multipart/form-data; boundary=", part() + END),
    "wrong boundary": ("multipart/form-data; boundary=another", part() + END),
    "boundary too long": ("multipart/form-data; boundary=" + "x" * 5000, part() + END),
    "mixed": ("multipart/mixed; boundary=" + BOUNDARY, part() + END),
    "no end": (FORM, part()),
    "cut off in the file": (FORM, part()[:500]),
    "cut off in the head": (FORM, part()[:40]),
    "no head": (FORM, EDGE + b"\r\n\r\n" + SONG + b"\r\n" + END),
    "head too long": (FORM, part(HEAD + b"X-Long: " + b"x" * 10_000 + b"\r\n") + END),
    "too many heads": (FORM, part(HEAD + b"X-Many: x\r\n" * 100) + END),
    "head is no text": (FORM, part(HEAD.replace(b"song", b"\xff\xfe")) + END),
    "line ends of another world": (FORM, (part() + END).replace(b"\r\n", b"\n")),
    "two lengths": (FORM, part(HEAD + b"Content-Length: 1\r\n") + END),
    "many parts": (FORM, FIELD * 1000 + part() + END),
    "attachment": (FORM, part(HEAD.replace(b"form-data", b"attachment")) + END),
}
NO_FILE = {
    "the end alone": END,
    "no file chosen": part(HEAD.replace(b"song.wav", b""), b"") + END,
    "a field, not a file": part(b'Content-Disposition: form-data; name="filename"\r\n') + END,
    "no name": part(b"Content-Disposition: form-data\r\n") + END,
    "another field": part(HEAD.replace(b'"filename"', b'"file"')) + END,
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
def client(quick_server):
    return quick_server.client()


@pytest.fixture
def leaves_nothing(quick_server):
    """Check that a test leaves no folder in uploads/ that was not there."""
    before = job_folders(quick_server.home)
    yield
    for _ in range(100):
        if job_folders(quick_server.home) == before:
            return
        time.sleep(0.05)
    assert job_folders(quick_server.home) == before


def job_folders(home) -> set[str]:
    return {entry.name for entry in (home / "uploads").iterdir() if ID.fullmatch(entry.name)}


def post(client, content_type: str, body: bytes, **headers: str):
    headers["Content-Type"] = content_type
    return client.request("POST", "/cgi-bin/upload.py", body, headers)


# Content


@pytest.mark.parametrize("what", NOT_A_SONG)
def test_what_is_no_song_is_refused_with_a_sentence(client, leaves_nothing, what):
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
def test_every_kind_of_wav_is_taken(client, what):
    reply = client.upload(A_SONG[what], json_wanted=True)
    assert reply.status == 201
    assert reply.json()["note"] == ""


@pytest.mark.parametrize("what", ["8 kHz", "192 kHz", "16 bit", "streamed, length 0", "streamed, length unknown"])
def test_the_length_is_told_in_seconds(client, what):
    rate = {"8 kHz": 8000, "192 kHz": 192_000}.get(what, 44100)
    nb_samples = 1000 if what.startswith("streamed") else 2000
    seconds = client.upload(A_SONG[what], json_wanted=True).json()["seconds"]
    assert seconds == pytest.approx(nb_samples / rate, abs=0.0006)


@pytest.mark.parametrize("what", CUT_OFF)
def test_a_file_that_was_cut_off_is_taken_and_the_page_says_so(client, what):
    content = CUT_OFF[what]
    reply = client.upload(content, json_wanted=True)
    assert reply.status == 201
    assert CUT_OFF_NOTE in reply.json()["note"]
    assert reply.json()["seconds"] == pytest.approx((len(content) - 44) // 4 / 44100, abs=0.001)
    assert CUT_OFF_NOTE in client.get(f"/cgi-bin/uploaded.py?job={reply.json()['job']}").text


@pytest.mark.parametrize("whole", [waves.wave(), waves.rf64(), waves.written(format="WAVEX", subtype="PCM_24")])
def test_a_damaged_head_is_a_sound_or_refused_but_never_a_surprise(tmp_path, whole):
    rng = random.Random(5)
    path = tmp_path / "song.wav"
    damaged = [whole[:length] for length in range(120)]
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(100)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        damaged.append(bytes(content))
    nb_refused = 0
    for content in damaged:
        path.write_bytes(content)
        with contextlib.suppress(Refusal):
            nb_refused += 1
            assert sounds.check(path).seconds > 0
            nb_refused -= 1
    assert 50 < nb_refused < len(damaged)


# Names


@pytest.mark.parametrize("raw_name", NAMES)
def test_a_name_is_shown_as_it_is_and_never_a_path(client, quick_server, raw_name):
    reply = post(client, FORM, part(HEAD.replace(b"song.wav", quoted(raw_name))) + END, Accept="application/json")
    assert reply.status == 201
    state = reply.json()
    assert state["name"] == NAMES[raw_name]
    assert state["name"] not in [path.name for path in quick_server.home.rglob("*") if path.name != "song.wav"]
    page = client.get(f"/cgi-bin/uploaded.py?job={state['job']}").text
    assert "<b>" not in page
    assert "<script>" not in page


# Forms


@pytest.mark.parametrize("what", HOSTILE_FORMS)
def test_what_is_no_form_with_a_file_is_refused(client, leaves_nothing, what):
    content_type, body = HOSTILE_FORMS[what]
    reply = post(client, content_type, body, Accept="application/json")
    assert reply.status == 400
    assert reply.json() == {"error": "What was sent is not a form with a file in it."}


@pytest.mark.parametrize("what", NO_FILE)
def test_a_form_without_a_file_is_refused(client, leaves_nothing, what):
    reply = post(client, FORM, NO_FILE[what], Accept="application/json")
    assert reply.status == 400
    assert reply.json()["error"].startswith("No file was chosen.")


def test_two_files_are_refused_and_not_one_of_them_forgotten(client, leaves_nothing):
    reply = post(client, FORM, part() + part() + END, Accept="application/json")
    assert reply.status == 400
    assert "one file" in reply.json()["error"]


@pytest.mark.parametrize(
    ("before", "behind"),
    [(b"", b"\r\n"), (b"", b"an epilogue"), (b"a preamble\r\n", b""), (FIELD, b""), (b"", b"\r\n" * 600)],
)
def test_what_stands_beside_the_file_is_passed_over(client, before, behind):
    body = before + part() + END + behind
    assert post(client, FORM, body).status == 303


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, len(END), len(END) + 1, len(END) + 2, len(END) + 3])
def test_a_form_may_come_in_pieces(client, cut):
    """TCP knows no messages: where the pieces of a form end must not matter."""
    body = part() + END
    with open_post(client, len(body)) as connection:
        connection.sendall(body[:-cut])
        time.sleep(0.3)
        connection.sendall(body[-cut:])
        assert answer(connection).status == 303


def test_a_form_may_come_byte_by_byte(client):
    body = part(content=waves.wave(bytes(40))) + END
    with open_post(client, len(body)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        assert answer(connection).status == 303


def head(*headers: str) -> bytes:
    """The head of a POST of a file."""
    lines = ["POST /cgi-bin/upload.py HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def open_post(client, length: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    connection.sendall(head(f"Content-Length: {length}"))
    return connection


def answer(connection: socket.socket):
    return parse(b"".join(iter(lambda: connection.recv(65536), b"")))


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
        (["Transfer-Encoding: chunked"], 501),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], 501),
    ],
)
def test_a_length_that_is_not_welcome_is_refused_before_a_byte_is_read(client, leaves_nothing, headers, status):
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:  # half of IDLE_SECONDS
        connection.sendall(head(*headers))
        reply = answer(connection)
    assert reply.status == status
    assert 'role="alert"' in reply.text


def test_who_waits_for_a_word_is_told_to_go_on(client):
    body = part() + END
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer(connection).status == 303


def test_a_form_of_a_button_is_short(client):
    reply = client.post("/cgi-bin/delete.py", json_wanted=True, job="x" * 100_000)
    assert reply.status == 413


def test_a_full_disk_is_told(home, serve, song):
    limits = home / "webapp" / "limits.py"
    limits.write_text(limits.read_text() + "\nSPARE_DISK_BYTES = 1 << 60\n")
    server = serve()
    reply = server.client().upload(song(0.1), json_wanted=True)
    assert reply.status == 503
    assert "no room" in reply.json()["error"]
    assert not job_folders(home)


def test_the_log_holds_no_traceback(quick_server):
    """Last in this module: what all the above left in the server's log."""
    assert "Traceback" not in quick_server.log.read_text()
