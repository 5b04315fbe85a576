"""Once more: a new job over the source of an old one, each whole without the other, and the two compared."""

import json
import re
import subprocess
import sys

import pytest

from tests import double

AGAIN = "/cgi-bin/again.py"
DOWNLOAD = "/cgi-bin/download.py"
SONGS = "/cgi-bin/songs.py"


@pytest.fixture
def client(quick_server):
    return quick_server.client()


@pytest.fixture
def uploads(quick_server):
    return quick_server.home / "uploads"


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


def test_the_same_source_is_separated_as_a_job_of_its_own(client, uploads, song):
    first = done(client, song(0.5), "My Song.wav")
    second = again(client, first)
    assert second != first
    assert [client.state(job)["name"] for job in (first, second)] == ["My Song.wav"] * 2
    sources = [uploads / job / "song.wav" for job in (first, second)]
    assert sources[0].samefile(sources[1])  # the disk holds it once


@pytest.mark.parametrize("deleted", [0, 1])
def test_the_deletion_of_one_leaves_the_other_whole(client, uploads, song, deleted):
    content = song(0.5).read_bytes()
    pair = [first := done(client, song(0.5)), again(client, first)]
    client.post("/cgi-bin/delete.py", job=pair[deleted])
    left = pair[1 - deleted]
    assert (uploads / left / "song.wav").read_bytes() == content
    assert all(client.get(stem["url"]).status == 200 for stem in client.state(left)["stems"])
    again(client, left)


def test_where_files_cannot_have_two_names_there_is_a_copy(client, quick_server, uploads, song):
    first = done(client, song(0.5))
    code = (
        "import os, sys; from webapp import songs\n"
        "def no_link(*_): raise PermissionError(1, 'this file system knows no links')\n"
        "os.link = no_link\n"
        "print(songs.separate_again(sys.argv[1], '', '', 'starter', '', '').id)"
    )
    command = [sys.executable, "-c", code, first]
    ran = subprocess.run(command, cwd=quick_server.home, capture_output=True, text=True, check=True)
    second = ran.stdout.strip()
    client.wait_for(second, "done")
    sources = [uploads / job / "song.wav" for job in (first, second)]
    assert not sources[0].samefile(sources[1])
    assert sources[0].read_bytes() == sources[1].read_bytes()


def test_a_full_disk_is_told_and_leaves_nothing_behind(client, quick_server, uploads, song):
    first = done(client, song(0.5))
    before = set(uploads.iterdir())
    limits = quick_server.home / "webapp" / "limits.py"
    text = limits.read_text()
    limits.write_text(re.sub(r"SPARE_DISK_BYTES = .*", "SPARE_DISK_BYTES = 1 << 60", text))
    try:
        reply = client.post(AGAIN, json_wanted=True, job=first, model="starter")
    finally:
        limits.write_text(text)
    assert reply.status == 503
    assert "no room left" in reply.json()["error"]
    assert set(uploads.iterdir()) == before


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
def test_what_cannot_be_run_again_gets_a_sentence(client, uploads, song, fields, status):
    first = client.uploaded_job(song(0.5))
    before = set(uploads.iterdir())
    reply = client.post(AGAIN, json_wanted=True, **({"job": first} | fields))
    assert reply.status == status
    assert reply.json()["error"].endswith(".")
    assert set(uploads.iterdir()) == before


def test_what_is_being_deleted_cannot_be_run_again(client, uploads, song):
    job = client.uploaded_job(song(0.5))
    state = uploads / job / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "cancelled"}))
    assert client.post(AGAIN, json_wanted=True, job=job).status == 404


def test_who_runs_it_again_owns_the_new_job_and_learns_of_no_other(client, quick_server, song):
    """A visitor who was given the address of a rerun does not learn that of the job before it."""
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
        "Mixture",
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


def test_what_is_not_separated_yet_cannot_be_compared(client, quick_server, song):
    one = done(client, song(0.5))
    double.order(quick_server.home, seconds=double.LONG)
    try:
        other = client.post(AGAIN, json_wanted=True, job=one, model="starter").json()["job"]
        reply = client.get_json(f"{DOWNLOAD}?job={one}&with={other}")
        assert reply.status == 400
        assert "compared" in reply.json()["error"]
    finally:
        double.order(quick_server.home)
        client.post("/cgi-bin/delete.py", job=other)


def test_the_page_of_songs_offers_the_choice(client, song):
    first = client.uploaded_job(song(0.5))
    sent = client.post(AGAIN, job=first, model="starter", back="songs")
    assert (sent.status, sent.headers["Location"]) == (303, SONGS)
    cookie = sent.headers["Set-Cookie"].split(";")[0]
    [job] = [song["job"] for song in client.get(SONGS, Accept="application/json", Cookie=cookie).json()["songs"]]
    client.wait_for(job, "done")
    page = client.get(SONGS, Cookie=cookie).text
    form = re.search(r'action="/cgi-bin/again.py">(.*?)</form>', page, re.DOTALL)[1]
    assert f'name="job" value="{job}"' in form
    assert re.findall(r'<option value="(\w+)" selected', form) == ["starter", "2"]
    assert {"umx", "umxhq", "umxl", "starter", "2", "4"} <= set(re.findall(r'<option value="(\w+)"', form))
