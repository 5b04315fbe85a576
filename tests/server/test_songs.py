"""The list "Your songs": a browser sees all its own jobs and no others."""

import hashlib
import json
import re
import secrets
from datetime import datetime, timezone

import pytest

from tests.support import fake_engine

SONGS = "/cgi-bin/songs.py"


class Visitor:
    """A browser and its cookie."""

    def __init__(self, client, cookie: str = ""):
        self.client = client
        self.headers = {"Cookie": cookie} if cookie else {}

    def upload(self, path, name="song.wav") -> str:
        reply = self.client.upload(path, name, json_wanted=True, headers=self.headers)
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
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture
def visitor(client) -> Visitor:
    return Visitor(client)


def test_the_first_upload_sets_an_http_only_same_site_cookie(client, song):
    reply = client.upload(song(0.5))
    secret, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert re.fullmatch(r"visitor=[0-9a-f]{64}", secret)
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=31536000"}


def test_a_known_browser_keeps_its_cookie(client, visitor, song):
    jobs = [visitor.upload(song(0.5))]
    cookie = dict(visitor.headers)
    jobs.append(visitor.upload(song(0.5)))
    assert visitor.headers == cookie
    assert visitor.ids() == jobs[::-1]


def test_the_cookie_is_found_among_other_cookies(client, visitor, song):
    job = visitor.upload(song(0.5))
    cookie = visitor.headers["Cookie"]
    for header in (f"a=b; {cookie}", f'{cookie};x="{{;}}"', f"notvisitor=1; visitor=; {cookie} ; b"):
        assert Visitor(client, header).ids() == [job], header


def test_visitors_do_not_see_each_others_songs(client, visitor, song):
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


def test_jobs_without_a_visitor_are_listed_to_nobody(client, fake_engine_server, visitor, song):
    job = visitor.upload(song(0.5))
    state = fake_engine_server.home / "uploads" / job / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"visitor": ""}))
    for cookie in ("", "visitor=", "visitor=" + hashlib.sha256(b"").hexdigest()):
        assert Visitor(client, cookie).ids() == []


@pytest.mark.parametrize(("length", "status"), [(60_000, 200), (1 << 20, 431)])
def test_a_huge_cookie_gets_an_empty_list_or_an_error_page(client, length, status):
    reply = client.raw_get(SONGS, "Cookie: visitor=" + "f" * length)
    assert reply.status == status
    assert ("No songs yet" if status == 200 else "cannot be answered") in reply.text


@pytest.mark.parametrize("cookie", ["visitor=\0", "visitor=ÿ", "\x7f\x01"])
def test_a_malformed_cookie_is_ignored_or_refused(client, cookie):
    reply = client.raw_get(SONGS, f"Cookie: {cookie}", "Accept: application/json")
    assert reply.status in (200, 400)
    assert not reply.json().get("songs")


def test_a_job_page_opens_without_the_cookie(client, visitor, song):
    job = visitor.upload(song(0.5))
    reply = client.get(f"/cgi-bin/uploaded.py?job={job}")
    assert reply.status == 200
    assert "Set-Cookie" not in reply.headers


def test_a_cookie_that_the_server_did_not_set_is_not_adopted(client, song):
    planted = "visitor=" + "5" * 64
    for _ in range(2):
        reply = client.upload(song(0.5), json_wanted=True, headers={"Cookie": planted})
        assert reply.headers["Set-Cookie"].startswith("visitor=")
    assert Visitor(client, planted).ids() == []


def test_of_two_visitors_cookies_neither_is_believed(client, visitor, song):
    """One of them was planted, and its owner must not see what is uploaded."""
    other = Visitor(client)
    jobs = [visitor.upload(song(0.5)), other.upload(song(0.5))]
    both = f"{other.headers['Cookie']}; {visitor.headers['Cookie']}"
    assert Visitor(client, both).ids() == []
    assert "Set-Cookie" in client.upload(song(0.5), headers={"Cookie": both}).headers
    assert Visitor(client, f"visitor={'5' * 64}; {visitor.headers['Cookie']}").ids() == jobs[:1]


def test_the_cookie_is_neither_logged_nor_stored(client, fake_engine_server, visitor, song):
    job = visitor.upload(song(0.5))
    visitor.page()
    secret = visitor.headers["Cookie"].removeprefix("visitor=")
    assert hashlib.sha256(secret.encode()).hexdigest() == kept(fake_engine_server, job)["visitor"]
    for path in (fake_engine_server.log, fake_engine_server.home / "uploads" / job / "state.json"):
        assert secret not in path.read_text()
    for answer in (visitor.page(), json.dumps(visitor.songs()), client.get(f"/cgi-bin/job.py?job={job}").text):
        assert secret not in answer
        assert kept(fake_engine_server, job)["visitor"] not in answer


def test_the_list_shows_state_model_and_expiry(client, fake_engine_server, visitor, song):
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


def test_queued_and_running_songs_do_not_expire(client, fake_engine_server, visitor, song, slow):
    running, waiting = visitor.upload(song(0.5)), visitor.upload(song(0.5))
    client.separate(running)
    fake_engine.wait_until_started(fake_engine_server.home, running)
    client.separate(waiting)
    client.wait_for(running, "running")
    assert [found["expires"] for found in visitor.songs()] == [None, None]
    page = visitor.page()
    assert "It is the next one." in page
    assert re.findall(r'data-state="(\w+)"', page) == ["queued", "running"]
    assert page.count("Cancel") == 2
    assert '<meta http-equiv="refresh"' in page
    assert page.count(">Delete<") == 0
    for job in (running, waiting):
        client.post("/cgi-bin/delete.py", job=job)
    assert visitor.ids() == []


def test_the_empty_list_says_where_to_begin(client):
    page = Visitor(client).page()
    assert "No songs yet" in page
    assert "refresh" not in page


def test_forms_on_the_songs_page_redirect_back_to_it(client, visitor, song):
    jobs = [visitor.upload(song(0.5)) for _ in range(3)]
    one, *others = jobs
    deleted = client.post("/cgi-bin/delete.py", job=one, back="songs")
    assert (deleted.status, deleted.headers["Location"]) == (303, f"{SONGS}?deleted={one}")
    assert set(visitor.ids()) == set(others)
    page = visitor.page()
    form = re.search(r'<form id="separate-all".*?</form>', page, re.DOTALL)[0]
    all_ = re.findall(r'name="job" value="(\w+)"', form)
    assert all_ == others  # as they were sent
    assert 'name="model"' in form
    body = "&".join(f"job={job}" for job in all_) + "&back=songs"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    queued = client.request("POST", "/cgi-bin/separate.py", body, headers)
    assert (queued.status, queued.headers["Location"]) == (303, SONGS)
    for job in others:
        client.wait_for(job, "done")
    assert "separate-all" not in visitor.page()


@pytest.mark.parametrize("back", ["https://example.org/", "//example.org", "/x\r\nSet-Cookie: a=b", "../"])
def test_forms_never_redirect_to_other_sites(client, visitor, song, back):
    reply = client.post("/cgi-bin/delete.py", job=visitor.upload(song(0.5)), back=back)
    assert re.fullmatch(r"/\?deleted=[0-9a-f]{32}", reply.headers["Location"])
    assert "Set-Cookie" not in reply.headers


@pytest.fixture
def slow(fake_engine_server):
    fake_engine.configure(fake_engine_server.home, seconds=fake_engine.FOREVER)
    yield
    fake_engine.configure(fake_engine_server.home)


def kept(server, job: str) -> dict:
    return json.loads((server.home / "uploads" / job / "state.json").read_text())
