"""Separating again: a new job over the same source, independent of the old one, and their comparison."""

import json
import re
import subprocess
import sys

import pytest

from tests.support import fake_engine, fake_models
from tests.support.project import job_folders
from tests.support.waiting import wait_until

AGAIN = "/cgi-bin/again.py"
DOWNLOAD = "/cgi-bin/download.py"
SONGS = "/cgi-bin/songs.py"


@pytest.fixture
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture
def uploads(fake_engine_server):
    return fake_engine_server.home / "uploads"


def done(client, path, name="song.wav") -> str:
    job = client.uploaded_job(path, name)
    client.separate(job)
    client.wait_for(job, "done")
    return job


def again(client, job: str, **choice: str) -> str:
    reply = client.post(AGAIN, json_wanted=True, job=job, **({"model": "starter"} | choice))
    assert reply.status == 202, reply.text
    new = reply.json()["job"]
    client.wait_for(new, "done")
    return new


def test_separating_again_makes_a_new_job_over_the_same_source(client, uploads, song):
    first = done(client, song(0.5), "My Song.wav")
    second = again(client, first)
    assert second != first
    assert [client.state(job)["name"] for job in (first, second)] == ["My Song.wav"] * 2
    sources = [uploads / job / "song.wav" for job in (first, second)]
    assert sources[0].samefile(sources[1])  # a hard link


@pytest.mark.parametrize("deleted", [0, 1])
def test_deleting_one_of_two_jobs_keeps_the_other_complete(client, uploads, song, deleted):
    content = song(0.5).read_bytes()
    pair = [first := done(client, song(0.5)), again(client, first)]
    client.post("/cgi-bin/delete.py", job=pair[deleted])
    left = pair[1 - deleted]
    assert (uploads / left / "song.wav").read_bytes() == content
    assert all(client.get(stem["url"]).status == 200 for stem in client.state(left)["stems"])
    again(client, left)


def test_without_hard_links_the_source_is_copied(client, fake_engine_server, uploads, song):
    first = done(client, song(0.5))
    code = (
        "import os, sys; from webapp.jobs import rerun\n"
        "def no_link(*_): raise PermissionError(1, 'this file system knows no links')\n"
        "os.link = no_link\n"
        "print(rerun.separate_again(sys.argv[1], '', '', 'starter', '', '').id)"
    )
    command = [sys.executable, "-c", code, first]
    ran = subprocess.run(command, cwd=fake_engine_server.home, capture_output=True, text=True, check=True)
    second = ran.stdout.strip()
    client.wait_for(second, "done")
    sources = [uploads / job / "song.wav" for job in (first, second)]
    assert not sources[0].samefile(sources[1])
    assert sources[0].read_bytes() == sources[1].read_bytes()


def test_a_full_disk_is_reported_and_leaves_no_folder(fake_engine_home, start_server, song):
    server = start_server()
    first = done(server.client(), song(0.5))
    server.stop()
    client = start_server(spare_disk_bytes=1 << 60).client()
    before = job_folders(fake_engine_home)
    reply = client.post(AGAIN, json_wanted=True, job=first, model="starter")
    assert reply.status == 503
    assert "no space left" in reply.json()["error"]
    assert job_folders(fake_engine_home) == before


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "../../etc"}, 400),
        ({"model": "no-such-model"}, 400),
        ({"job": "0" * 32}, 404),
        ({"job": "../songs"}, 404),
        ({"job": ""}, 404),
    ],
)
def test_invalid_requests_to_separate_again_get_an_error_message(client, uploads, song, fields, status):
    first = client.uploaded_job(song(0.5))
    before = set(uploads.iterdir())
    reply = client.post(AGAIN, json_wanted=True, **({"job": first} | fields))
    assert reply.status == status
    assert reply.json()["error"].endswith(".")
    assert set(uploads.iterdir()) == before


def test_the_page_offers_only_pairs_that_are_accepted(fake_engine_home, start_server, song):
    fake_models.configure(fake_engine_home, on_disk=["blend", "spleeter"], reachable=False)
    client = start_server().client()
    wait_until((fake_engine_home / "uploads" / ".unavailable").exists)
    reply = client.upload(song(0.1))
    job, cookie = reply.headers["Location"].partition("job=")[2], reply.headers["Set-Cookie"].split(";")[0]
    client.separate(job, model="blend")
    client.wait_for(job, "done")
    pairs = re.findall(r'<option value="([^"]+)"', client.get(SONGS, Cookie=cookie).text)
    assert pairs == ["blend 2", "spleeter 2", "starter 2", "blend 4", "starter 4"]
    for pair in pairs:
        made = client.post(AGAIN, json_wanted=True, job=job, separation=pair)
        assert made.status == 202, pair
        assert f"{made.json()['model']} {made.json()['stems_wanted']}" == pair
        assert not client.wait_for(made.json()["job"], "done")["note"]


def test_runs_of_one_song_are_told_apart(client, song):
    reply = client.upload(song(0.1))
    job, cookie = reply.headers["Location"].partition("job=")[2], reply.headers["Set-Cookie"].split(";")[0]
    client.separate(job)
    client.wait_for(job, "done")
    assert ", run " not in client.get(SONGS, Cookie=cookie).text
    body = f"job={job}&separation=starter+2"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, "Accept": "application/json"}
    for _ in range(2):
        client.wait_for(client.request("POST", AGAIN, body, headers).json()["job"], "done")
    page = client.get(SONGS, Cookie=cookie).text
    assert re.findall(r"vocals and music, run (\d)", page) == ["3", "2", "1"]
    labels = re.findall(r'with=\w+" aria-describedby="name-(\w+)">([^<]+)<', page)
    assert len(labels) == len(set(labels)) == 6
    assert {label for _, label in labels} == {f"Compare with run {number} (starter)" for number in (1, 2, 3)}


def test_a_job_being_deleted_cannot_be_separated_again(client, uploads, song):
    job = client.uploaded_job(song(0.5))
    state = uploads / job / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "cancelled"}))
    assert client.post(AGAIN, json_wanted=True, job=job).status == 404


def test_the_new_job_belongs_to_the_visitor_who_asked_for_it(client, fake_engine_server, song):
    """A visitor who has the address of the second job does not learn that of the first."""
    first = done(client, song(0.5))
    shared = again(client, first)
    reply = client.post(AGAIN, json_wanted=True, job=shared, model="starter")
    own, cookie = reply.json()["job"], reply.headers["Set-Cookie"].split(";")[0]
    client.wait_for(own, "done")
    listed = client.get(SONGS, Cookie=cookie, Accept="application/json")
    assert [song["job"] for song in listed.json()["songs"]] == [own]
    for answer in (listed.text, reply.text, client.get(SONGS, Cookie=cookie).text):
        assert first not in answer
        assert shared not in answer


def test_two_results_of_one_song_can_be_compared(client, song):
    first = client.uploaded_job(song(0.5), "My <Song>.wav")
    cookie_of = {}
    reply = client.post(AGAIN, json_wanted=True, job=first, model="starter")
    cookie_of["Cookie"] = reply.headers["Set-Cookie"].split(";")[0]
    one = reply.json()["job"]
    headers = cookie_of | {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    other = client.request("POST", AGAIN, f"job={one}&model=umxhq", headers).json()["job"]
    for job in (one, other):
        client.wait_for(job, "done")
    songs = client.get(SONGS, Accept="application/json", **cookie_of).json()["songs"]
    assert {song["job"]: song["comparable"] for song in songs} == {one: [other], other: [one]}
    link = f"{DOWNLOAD}?job={one}&amp;with={other}"
    assert link in client.get(SONGS, **cookie_of).text
    page = client.get(f"{DOWNLOAD}?job={one}&with={other}").text
    assert "My &lt;Song&gt;.wav" in page
    assert re.findall(r"<h3[^>]*>([^<]+)<", page) == [
        "Original",
        *("Vocals A (starter)", "Vocals B (umxhq)"),
        *("Music A (starter)", "Music B (umxhq)"),
    ]
    stems = [(stem, job) for stem in ("vocals", "music") for job in (one, other)]
    urls = [f"/downloads/{one}/mixture.wav", *(f"/downloads/{job}/{stem}.wav" for stem, job in stems)]
    assert re.findall(r'<audio [^>]*src="([^"]+)\?in-pieces"', page) == urls


def test_only_results_of_one_song_can_be_compared(client, song):
    one, other = done(client, song(0.5)), done(client, song(0.5))
    waits = client.post(AGAIN, json_wanted=True, job=one, model="starter").json()["job"]
    client.wait_for(waits, "done")
    for partner, status in ((other, 400), (one, 400), ("0" * 32, 404), ("../x", 404), (waits, 200)):
        assert client.get_json(f"{DOWNLOAD}?job={one}&with={partner}").status == status, partner


def test_an_unfinished_job_cannot_be_compared(client, fake_engine_server, song):
    one = done(client, song(0.5))
    fake_engine.configure(fake_engine_server.home, seconds=fake_engine.FOREVER)
    try:
        other = client.post(AGAIN, json_wanted=True, job=one, model="starter").json()["job"]
        reply = client.get_json(f"{DOWNLOAD}?job={one}&with={other}")
        assert reply.status == 400
        assert "compared" in reply.json()["error"]
    finally:
        fake_engine.configure(fake_engine_server.home)
        client.post("/cgi-bin/delete.py", job=other)


def test_the_songs_page_offers_to_separate_again(client, song):
    first = client.uploaded_job(song(0.5))
    sent = client.post(AGAIN, job=first, model="starter", back="songs")
    assert (sent.status, sent.headers["Location"]) == (303, SONGS)
    cookie = sent.headers["Set-Cookie"].split(";")[0]
    [job] = [song["job"] for song in client.get(SONGS, Accept="application/json", Cookie=cookie).json()["songs"]]
    client.wait_for(job, "done")
    page = client.get(SONGS, Cookie=cookie).text
    form = re.search(r'action="/cgi-bin/again.py">(.*?)</form>', page, re.DOTALL)[1]
    assert f'name="job" value="{job}"' in form
    [selected] = re.findall(r'<option value="([\w -]+)" selected', form)
    assert selected.endswith(" 2")
    assert selected != "starter 2"  # which would give the same stems again
    assert {"starter 2", "starter 4", selected} <= set(re.findall(r'<option value="([\w -]+)"', form))
