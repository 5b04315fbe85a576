"""Unusual file names from the upload to the download, and unusual sample rates, channels and lengths."""

import io
import re
import zipfile
from html import unescape
from urllib.parse import unquote

import pytest

from tests.support import fake_engine, wave_files
from tests.support.client import Client
from tests.support.forms import CONTENT_TYPE, upload_form
from webapp.jobs.file_names import RESERVED

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]')
NAMES = {  # the name in the form → the name on the page, and the beginning of the download names
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
def client(fake_engine_server) -> Client:
    fake_engine.configure(fake_engine_server.home)
    return fake_engine_server.client()


def upload(client: Client, raw_name: bytes):
    headers = {"Content-Type": CONTENT_TYPE, "Accept": "application/json"}
    return client.request("POST", "/cgi-bin/upload.py", upload_form(wave_files.wav(), raw_name), headers)


@pytest.mark.parametrize("raw_name", NAMES, ids=lambda name: repr(name[:20]))
def test_file_names_are_shown_safely_and_downloads_get_safe_names(client, raw_name):
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
    """The name under which a browser would store the file."""
    found = re.fullmatch(
        r"attachment; filename=\"[ !#-\[\]-~]+\"; filename\*=UTF-8''([\w.~%-]+)", disposition, re.ASCII
    )
    return unquote(found[1], errors="strict")


@pytest.mark.parametrize("raw_name", [b"\xff\xfe.wav", b"caf\xe9.wav", "\ud800.wav".encode("utf-8", "surrogatepass")])
def test_a_file_name_that_is_not_utf8_is_read_as_windows_1252(client, raw_name):
    reply = upload(client, raw_name)
    assert (reply.status, reply.json()["name"]) == (201, raw_name.decode("cp1252", "replace"))


def test_a_file_name_with_line_breaks_adds_no_header(client):
    """The part's header ends at the line break, and nothing of the name gets into the response's header."""
    reply = upload(client, b"a\r\nSet-Cookie: visitor=x\r\n.wav")
    assert reply.status in (201, 400)
    assert "visitor=x" not in str(reply.headers)


@pytest.mark.parametrize("rate", [1, 100, 768_000, 2**31 - 1])
def test_every_sample_rate_of_the_format_is_accepted(client, rate):
    state = client.upload(wave_files.encoded(rate, nb_samples=7), json_wanted=True).json()
    assert state["seconds"] == pytest.approx(7 / rate, abs=0.001)


@pytest.mark.parametrize("nb_channels", [9, 32, 255])
def test_too_many_channels_are_refused(client, nb_channels):
    reply = client.upload(wave_files.encoded(nb_channels=nb_channels), json_wanted=True)
    assert (reply.status, f"{nb_channels} channels" in reply.json()["error"]) == (400, True)


TEN_HOURS = 36000 * 8000  # bytes, at 8 kHz, 8 bit, one channel


def send_ten_hours(client: Client):
    """Upload ten hours of silence, in pieces."""
    song = wave_files.encoded(8000, 1, 1, subtype="PCM_U8")[:44]
    song = song[:40] + TEN_HOURS.to_bytes(4, "little")
    head, _, end = upload_form(b"<content>", "silence.wav").partition(b"<content>")
    pieces = [head + song, *[bytes([128]) * 1_000_000] * (TEN_HOURS // 1_000_000), end]
    headers = {"Content-Type": CONTENT_TYPE, "Accept": "application/json"}
    headers["Content-Length"] = str(sum(map(len, pieces)))
    return client.request("POST", "/cgi-bin/upload.py", iter(pieces), headers)


def test_a_song_over_the_length_limit_is_refused(client, fake_engine_server):
    reply = send_ten_hours(client)
    assert (reply.status, reply.json()["error"]) == (413, "This song is too long: at most 6 hours can be separated.")
    assert not [path for path in fake_engine_server.home.glob("uploads/*/song.wav") if path.stat().st_size > TEN_HOURS]


def test_ten_hours_are_accepted_with_a_higher_limit(fake_engine_home, start_server):
    client = start_server("--max-song-hours", "12").client()
    state = send_ten_hours(client).json()
    assert state["seconds"] == 36000.0
    client.separate(state["job"])
    client.wait_for(state["job"], "done")
    head = client.request("HEAD", client.state(state["job"])["stems"][0]["url"])
    assert int(head.headers["Content-Length"]) > TEN_HOURS
    assert "10:00:00" in client.get(f"/cgi-bin/download.py?job={state['job']}").text


def test_the_log_holds_no_traceback(fake_engine_server):
    """Last in this module: the log of all tests above."""
    assert "Traceback" not in fake_engine_server.log.read_text()
