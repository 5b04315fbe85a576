"""Songs with strange names, from the form to the file that is downloaded; and songs that are strange themselves."""

import io
import re
import zipfile
from html import unescape
from urllib.parse import unquote

import pytest

from tests import double, waves
from tests.client import BOUNDARY, Client
from webapp.names import RESERVED

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]')
HEAD = b'Content-Disposition: form-data; name="filename"; filename="%s"\r\n\r\n'
NAMES = {  # as it comes in the form → as the page shows it, and what its files begin with
    b"../../etc/passwd": ("passwd", "passwd"),
    b"two%0D%0Alines.wav": ("twolines.wav", "twolines"),
    b"two\tor\x0bthree.wav": ("twoorthree.wav", "twoorthree"),
    b"x\0.wav": ("x.wav", "x"),
    "\u202evaw.gnos\u2066\u200f.wav".encode(): ("vaw.gnos.wav", "vaw.gnos"),
    "line\u2028and\x85line.wav".encode(): ("lineandline.wav", "lineandline"),
    b"CON": ("CON", "_CON"),
    b"NUL.wav": ("NUL.wav", "_NUL"),
    b"aux.wav": ("aux.wav", "_aux"),
    b"com1.live.wav": ("com1.live.wav", "_com1.live"),
    "lpt² .wav".encode(): ("lpt² .wav", "_lpt²"),
    b"console.wav": ("console.wav", "console"),
    b"n" * 4096 + b".wav": ("n" * 4096 + ".wav", "n" * 180),
    "🎵".encode() * 1000: ("🎵" * 1000, "🎵" * 45),
    b"......": ("......", "song"),
    b".wav": (".wav", "wav"),
    "🎵🏳️‍🌈.wav".encode(): ("🎵🏳️‍🌈.wav", "🎵🏳️‍🌈"),
    b"it's 'so' & <b>.wav": ("it's 'so' & <b>.wav", "it's 'so' & _b"),
    b"%22quoted%22.wav": ('"quoted".wav', "quoted"),
    b"$(reboot)`id`;|.wav": ("$(reboot)`id`;|.wav", "$(reboot)`id`;"),
}


@pytest.fixture(scope="module")
def client(quick_server) -> Client:
    double.order(quick_server.home)
    return quick_server.client()


def upload(client: Client, raw_name: bytes):
    edge = b"--" + BOUNDARY.encode()
    body = edge + b"\r\n" + HEAD % raw_name + waves.wave() + b"\r\n" + edge + b"--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "application/json"}
    return client.request("POST", "/cgi-bin/upload.py", body, headers)


@pytest.mark.parametrize("raw_name", NAMES, ids=lambda name: repr(name[:20]))
def test_a_name_stays_a_name(client, raw_name):
    shown, begin = NAMES[raw_name]
    state = upload(client, raw_name).json()
    job = state["job"]
    assert state["name"] == shown
    assert shown in unescape(client.get(f"/cgi-bin/uploaded.py?job={job}").text)
    client.separate(job)
    client.wait_for(job, "done")
    page = client.get(f"/cgi-bin/download.py?job={job}").text
    assert "<b>" not in page
    names = [client.get(stem["url"]).headers["Content-Disposition"] for stem in client.state(job)["stems"]]
    names.append(client.get(f"/cgi-bin/mix.py?job={job}").headers["Content-Disposition"])
    zipped = client.get(f"/cgi-bin/zip.py?job={job}")
    names.append(zipped.headers["Content-Disposition"])
    for name in [*map(offered, names), *zipfile.ZipFile(io.BytesIO(zipped.body)).namelist()]:
        assert name.startswith(begin)
        assert not FORBIDDEN.search(name)
        assert not RESERVED.match(name)
        assert len(name.encode()) < 255


def offered(disposition: str) -> str:
    """The name that a browser would store a file under."""
    found = re.fullmatch(
        r"attachment; filename=\"[ !#-\[\]-~]+\"; filename\*=UTF-8''([\w.~%-]+)", disposition, re.ASCII
    )
    return unquote(found[1], errors="strict")


@pytest.mark.parametrize("raw_name", [b"\xff\xfe.wav", b"caf\xe9.wav", "\ud800.wav".encode("utf-8", "surrogatepass")])
def test_a_name_that_is_no_text_is_refused(client, raw_name):
    reply = upload(client, raw_name)
    assert (reply.status, list(reply.json())) == (400, ["error"])


def test_a_name_with_line_ends_is_no_header(client):
    """The form's head is cut there, and nothing of the name gets into the answer's head."""
    reply = upload(client, b"a\r\nSet-Cookie: visitor=x\r\n.wav")
    assert reply.status in (201, 400)
    assert "visitor=x" not in str(reply.headers)


@pytest.mark.parametrize("rate", [1, 100, 768_000, 2**31 - 1])
def test_any_rate_is_taken_that_a_wav_can_have(client, rate):
    state = client.upload(waves.written(rate, nb_samples=7), json_wanted=True).json()
    assert state["seconds"] == pytest.approx(7 / rate, abs=0.001)


@pytest.mark.parametrize("nb_channels", [9, 32, 255])
def test_more_channels_than_anybody_has_ears_for_are_refused(client, nb_channels):
    reply = client.upload(waves.written(nb_channels=nb_channels), json_wanted=True)
    assert (reply.status, f"{nb_channels} channels" in reply.json()["error"]) == (400, True)


TEN_HOURS = 36000 * 8000  # bytes, at 8 kHz, 8 bit, one channel


def send_ten_hours(client: Client):
    """Ten hours of silence, in pieces."""
    song = waves.written(8000, 1, 1, subtype="PCM_U8")[:44]
    song = song[:40] + TEN_HOURS.to_bytes(4, "little")
    edge = b"--" + BOUNDARY.encode()
    head, end = edge + b"\r\n" + HEAD % b"silence.wav" + song, b"\r\n" + edge + b"--\r\n"
    pieces = [head, *[bytes([128]) * 1_000_000] * (TEN_HOURS // 1_000_000), end]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "application/json"}
    headers["Content-Length"] = str(sum(map(len, pieces)))
    return client.request("POST", "/cgi-bin/upload.py", iter(pieces), headers)


def test_ten_hours_of_silence_are_too_long(client, quick_server):
    reply = send_ten_hours(client)
    assert (reply.status, reply.json()["error"]) == (413, "This song is too long: at most 6 hours can be separated.")
    assert not [path for path in quick_server.home.glob("uploads/*/song.wav") if path.stat().st_size > TEN_HOURS]


def test_ten_hours_of_silence_are_taken_where_they_may_be(quick_home, serve):
    client = serve("--max-song-hours", "12").client()
    state = send_ten_hours(client).json()
    assert state["seconds"] == 36000.0
    client.separate(state["job"])
    client.wait_for(state["job"], "done")
    head = client.request("HEAD", client.state(state["job"])["stems"][0]["url"])
    assert int(head.headers["Content-Length"]) > TEN_HOURS
    assert "10:00:00" in client.get(f"/cgi-bin/download.py?job={state['job']}").text


def test_the_log_holds_no_traceback(quick_server):
    """Last in this module: what all the above left in the server's log."""
    assert "Traceback" not in quick_server.log.read_text()
