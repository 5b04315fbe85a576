"""Your songs: a browser sees its own jobs, all of them, and nobody else's."""

import hashlib
import json
import re
import secrets
from datetime import datetime, timezone

import pytest

from tests import double
from tests.client import BOUNDARY, multipart

SONGS = "/cgi-bin/songs.py"


class Visitor:
    """A browser with its cookie, if it has one."""

    def __init__(self, client, cookie: str = ""):
        self.client = client
        self.headers = {"Cookie": cookie} if cookie else {}

    def upload(self, path, name="song.wav") -> str:
        headers = self.headers | {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        headers["Accept"] = "application/json"
        reply = self.client.request("POST", "/cgi-bin/upload.py", multipart(path.read_bytes(), name), headers)
        assert reply.status == 201, reply.text
        if "Set-Cookie" in reply.headers:
            self.headers = {"Cookie": reply.headers["Set-Cookie"].split(";")[0]}
        return reply.json()["job"]

    def songs(self) -> list[dict]:
        return self.client.get(SONGS, Accept="application/json", **self.headers).json()["songs"]

    def ids(self) -> list[str]:
        return [song["job"] for song in self.songs()]

    def page(self) -> str:
        return self.client.get(SONGS, **self.headers).text


@pytest.fixture
def client(quick_server):
    return quick_server.client()


@pytest.fixture
def visitor(client) -> Visitor:
    return Visitor(client)


def test_the_first_upload_brings_a_cookie_that_no_script_of_a_page_and_no_other_site_gets(client, song):
    reply = client.upload(song(0.5))
    secret, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert re.fullmatch(r"visitor=[0-9a-f]{64}", secret)
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=31536000"}


def test_a_known_browser_gets_no_other_cookie(client, visitor, song):
    jobs = [visitor.upload(song(0.5))]
    cookie = dict(visitor.headers)
    jobs.append(visitor.upload(song(0.5)))
    assert visitor.headers == cookie
    assert visitor.ids() == jobs[::-1]


def test_the_cookie_is_found_among_those_of_others(client, visitor, song):
    job = visitor.upload(song(0.5))
    cookie = visitor.headers["Cookie"]
    for header in (f"a=b; {cookie}", f'{cookie};x="{{;}}"', f"notvisitor=1; visitor=; {cookie} ; b"):
        assert Visitor(client, header).ids() == [job], header


def test_nobody_sees_anothers_songs(client, visitor, song):
    job = visitor.upload(song(0.5), "secret.wav")
    other = Visitor(client)
    own = other.upload(song(0.5))
    cookie = visitor.headers["Cookie"]
    forged = [
        "",
        "visitor=",
        "visitor=" + secrets.token_hex(32),
        cookie.upper(),
        cookie[:-1],
        cookie + "0",
        cookie.replace("=", "=="),
        "visitor=" + hashlib.sha256(cookie.removeprefix("visitor=").encode()).hexdigest(),
        "visitor=*",
        "visitor=..%2f",
    ]
    for header in forged:
        assert Visitor(client, header).ids() == [], header
        page = Visitor(client, header).page()
        assert job not in page
        assert "secret.wav" not in page
    assert other.ids() == [own]
    assert job not in other.page()


def test_jobs_that_are_nobodys_are_shown_to_nobody(client, quick_server, visitor, song):
    job = visitor.upload(song(0.5))
    state = quick_server.home / "uploads" / job / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"visitor": ""}))
    for cookie in ("", "visitor=", "visitor=" + hashlib.sha256(b"").hexdigest()):
        assert Visitor(client, cookie).ids() == []


@pytest.mark.parametrize(("length", "status"), [(60_000, 200), (1 << 20, 431)])
def test_a_huge_cookie_gets_an_empty_list_or_a_sentence(client, length, status):
    reply = client.raw_get(SONGS, "Cookie: visitor=" + "f" * length)
    assert reply.status == status
    assert ("Nothing here yet" if status == 200 else "cannot be answered") in reply.text


@pytest.mark.parametrize("cookie", ["visitor=\0", "visitor=ÿ", "\x7f\x01"])
def test_a_cookie_that_is_no_text_is_no_cookie(client, cookie):
    reply = client.raw_get(SONGS, f"Cookie: {cookie}", "Accept: application/json")
    assert reply.status in (200, 400)
    assert not reply.json().get("songs")


def test_the_page_of_a_job_still_opens_by_its_address(client, visitor, song):
    job = visitor.upload(song(0.5))
    reply = client.get(f"/cgi-bin/uploaded.py?job={job}")
    assert reply.status == 200
    assert "Set-Cookie" not in reply.headers


def test_neither_the_log_nor_a_job_gives_the_cookie_away(client, quick_server, visitor, song):
    job = visitor.upload(song(0.5))
    visitor.page()
    secret = visitor.headers["Cookie"].removeprefix("visitor=")
    assert hashlib.sha256(secret.encode()).hexdigest() == kept(quick_server, job)["visitor"]
    for path in (quick_server.log, quick_server.home / "uploads" / job / "state.json"):
        assert secret not in path.read_text()
    for answer in (visitor.page(), json.dumps(visitor.songs()), client.get(f"/cgi-bin/job.py?job={job}").text):
        assert secret not in answer
        assert kept(quick_server, job)["visitor"] not in answer


def test_each_song_tells_what_there_is_to_know(client, quick_server, visitor, song):
    before = datetime.now(timezone.utc)
    job = visitor.upload(song(1.0), "A <b>&amp; song.wav")
    assert client.separate(job).status == 202
    client.wait_for(job, "done")
    [found] = visitor.songs()
    assert (found["state"], found["name"], found["model"]) == ("done", "A <b>&amp; song.wav", "starter")
    hours = (datetime.fromisoformat(found["expires"]) - before).total_seconds() / 3600
    assert 23.9 < hours < 24.1
    page = visitor.page()
    assert "A &lt;b&gt;&amp;amp; song.wav" in page
    for words in ("0:01", "Separated", "starter", "vocals and music", "in 24 h", f"/cgi-bin/job.py?job={job}"):
        assert words in page, words


def test_a_song_that_waits_or_runs_is_not_going_to_be_deleted(client, quick_server, visitor, song, slow):
    running, waiting = visitor.upload(song(0.5)), visitor.upload(song(0.5))
    client.separate(running)
    double.wait_until_started(quick_server.home, running)
    client.separate(waiting)
    client.wait_for(running, "running")
    assert [found["expires"] for found in visitor.songs()] == [None, None]
    page = visitor.page()
    assert "It is the next one." in page
    assert re.findall(r'data-state="(\w+)"', page) == ["queued", "running"]
    assert page.count("Cancel") == 2
    assert '<meta http-equiv="refresh"' in page
    for job in (running, waiting):
        client.post("/cgi-bin/delete.py", job=job)
    assert visitor.ids() == []


def test_without_songs_the_page_says_where_to_begin(client):
    page = Visitor(client).page()
    assert "Nothing here yet" in page
    assert "refresh" not in page


def test_the_forms_of_the_page_lead_back_to_it(client, visitor, song):
    jobs = [visitor.upload(song(0.5)) for _ in range(3)]
    one, *others = jobs
    deleted = client.post("/cgi-bin/delete.py", job=one, back="songs")
    assert (deleted.status, deleted.headers["Location"]) == (303, SONGS)
    assert set(visitor.ids()) == set(others)
    page = visitor.page()
    all_ = re.findall(r'name="job" value="(\w+)" form="separate-all"', page)
    assert set(all_) == set(others)
    body = "&".join(f"job={job}" for job in all_) + "&back=songs"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    queued = client.request("POST", "/cgi-bin/separate.py", body, headers)
    assert (queued.status, queued.headers["Location"]) == (303, SONGS)
    for job in others:
        client.wait_for(job, "done")
    assert "separate-all" not in visitor.page()


@pytest.mark.parametrize("back", ["https://example.org/", "//example.org", "/x\r\nSet-Cookie: a=b", "../"])
def test_no_form_leads_anywhere_else(client, visitor, song, back):
    reply = client.post("/cgi-bin/delete.py", job=visitor.upload(song(0.5)), back=back)
    assert reply.headers["Location"] == "/"
    assert "Set-Cookie" not in reply.headers


@pytest.fixture
def slow(quick_server):
    double.order(quick_server.home, seconds=double.LONG)
    yield
    double.order(quick_server.home)


def kept(server, job: str) -> dict:
    return json.loads((server.home / "uploads" / job / "state.json").read_text())
