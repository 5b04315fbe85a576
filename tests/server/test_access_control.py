"""Access control on every route: other visitors' jobs, the source, the file system, other sites."""

import contextlib
import http.client
import json
import threading

import pytest

from tests.support import processes
from tests.support.client import Client, parse
from tests.support.forms import CONTENT_TYPE, END, field_part
from webapp.server import routes, static_files
from webapp.server.security_headers import SECURITY_HEADERS

NAME = "Nobody elses.wav"
FORM = "application/x-www-form-urlencoded"
GETS = sorted(route for route, method in routes.SCRIPTS.items() if method == "GET")
POSTS = sorted(route for route, method in routes.SCRIPTS.items() if method == "POST")
OF_A_JOB = [f"{route}?job={{job}}" for route in GETS if route != "/cgi-bin/songs.py"]
FILES = [f"/downloads/{{job}}/{name}" for name in ("vocals.wav", "music.wav", "mixture.wav", "vocals.peaks")]
FILES += [f"/downloads/{{job}}/{name}.spectrogram" for name in ("mixture", "music")]
OPEN_TO_ALL = ["/", "/cgi-bin/songs.py", *routes.REPORTS, *sorted(static_files.FILES)[:2]]
EVERY_GET = [*OPEN_TO_ALL, *OF_A_JOB, *FILES]

# Guesses by somebody who has seen the log, with the first eight characters of an id, or who knows how ids are made.
GUESSES = """\
{short}
{short}*
{short}%
{short}________________________
{short}........................
{short}000000000000000000000000
*
%25
?
.
..
.changes
.worker
./{short}
../uploads
../uploads/{short}*
..%2f..%2fetc%2fpasswd
/etc/passwd
C:\\
{short}%00
{short}%0a
[0-9a-f]+
' OR '1'='1
{{"$ne": ""}}
null
0
-1
00000000000000000000000000000000
ffffffffffffffffffffffffffffffff
""".splitlines()


@pytest.fixture(scope="module")
def victim(fake_engine_server, song) -> str:
    """A finished job of another visitor."""
    client = fake_engine_server.client()
    job = client.uploaded_job(song(0.5), NAME)
    client.separate(job)
    client.wait_for(job, "done")
    return job


@pytest.fixture
def client(fake_engine_server) -> Client:
    return fake_engine_server.client()


def form(body: str) -> tuple[str, dict[str, str]]:
    return body, {"Content-Type": FORM}


def in_parts(body: str) -> tuple[bytes, dict[str, str]]:
    """The same fields as multipart."""
    parts = [field_part(*field.split("=", 1)) for field in body.split("&")]
    return b"".join(parts) + END, {"Content-Type": CONTENT_TYPE}


def as_json(body: str) -> tuple[str, dict[str, str]]:
    fields = dict(field.split("=", 1) for field in body.split("&"))
    return json.dumps(fields), {"Content-Type": "application/json"}


def as_text(body: str) -> tuple[str, dict[str, str]]:
    return body, {"Content-Type": "text/plain"}


def untouched(fake_engine_server, client, job: str) -> bool:
    stems = [client.request("HEAD", f"/downloads/{job}/{stem}.wav").status for stem in ("vocals", "music")]
    return client.state(job)["state"] == "done" and stems == [200, 200]


# Another visitor's job


@pytest.mark.parametrize("route", OF_A_JOB)
def test_guessed_ids_show_no_job(client, victim, route):
    pages = [(guess, []) for guess in GUESSES]
    json_requests = [(guess, ["Accept: application/json"]) for guess in GUESSES[:4]]
    for guess, headers in pages + json_requests:
        target = route.format(job=guess.format(short=victim[:8]).replace(" ", "+"))
        reply = client.raw_get(target, *headers)
        assert reply.status in (400, 404), target
        assert NAME not in reply.text
        assert victim not in reply.text


@pytest.mark.parametrize("encoding", [form, in_parts, as_json, as_text])
@pytest.mark.parametrize("route", [route for route in POSTS if route != routes.UPLOAD])
def test_guessed_ids_change_no_job(fake_engine_server, client, victim, route, encoding):
    for guess in GUESSES[:8]:
        body, headers = encoding(f"job={guess.format(short=victim[:8])}&model=starter")
        reply = client.request("POST", route, body, headers)
        assert reply.status in (400, 404, 415), guess
        assert NAME not in reply.text
    assert untouched(fake_engine_server, client, victim)


@pytest.mark.parametrize("target", FILES)
def test_guessed_ids_download_no_file(client, victim, target):
    for guess in GUESSES:
        reply = client.raw_get(target.format(job=guess.format(short=victim[:8]).replace(" ", "+")))
        assert reply.status in (400, 404)


@pytest.mark.parametrize("route", [route for route in POSTS if route != routes.UPLOAD])
def test_get_requests_change_nothing(fake_engine_server, client, victim, route):
    """A page on another site can make a browser send any GET request."""
    for method in ("GET", "HEAD"):
        for headers in ({}, {"X-HTTP-Method-Override": "POST"}, {"X-HTTP-Method": "DELETE"}, {"X-Method": "POST"}):
            assert client.request(method, f"{route}?job={victim}", headers=headers).status == 405
    assert client.request("POST", f"{route}?job={victim}", *form("")).status == 404  # fields of a POST are in its body
    assert untouched(fake_engine_server, client, victim)


def test_no_request_lists_other_visitors_jobs(fake_engine_server, client, victim):
    for target in ("/cgi-bin/songs.py", "/cgi-bin/songs.py?visitor=", f"/cgi-bin/songs.py?job={victim}", "/metrics"):
        for headers in ([], ["Accept: application/json"], ["Cookie: visitor=" + "0" * 64], ["Cookie: visitor=*"]):
            reply = client.raw_get(target, *headers)
            assert reply.status == 200
            assert NAME not in reply.text
            assert victim[:8] not in reply.text


def test_the_stored_hash_of_a_visitor_is_not_a_valid_cookie(fake_engine_server, client, victim):
    kept = json.loads((fake_engine_server.home / "uploads" / victim / "state.json").read_text())["visitor"]
    assert len(kept) == 64
    assert client.get("/cgi-bin/songs.py", Accept="application/json", Cookie=f"visitor={kept}").json() == {"songs": []}


# The source and the file system, from the visitor's own job


@pytest.mark.parametrize(
    "target",
    [
        "/downloads/{job}/../../server.py",
        "/downloads/{job}/../../uploads/{job}/state.json",
        "/downloads/{job}/..%2f..%2fuploads%2f{job}%2fstate.json",
        "/downloads/{job}/..%5c..%5cserver.py",
        "/downloads/{job}/%2e%2e/%2e%2e/server.py",
        "/downloads/{job}/state.peaks",
        "/downloads/{job}/..peaks",
        "/downloads/{job}/.peaks",
        "/downloads/{job}/song.spectrogram",
        "/downloads/{job}/vocals.flac",
        "/downloads/{job}/vocals.wav;.peaks",
        "/downloads/{job}/vocals.wav%20",
        "/downloads/{job}//vocals.wav",
        "/downloads/{job}/VOCALS.WAV",
        "/downloads/{job}/mixture.flac",
        "/uploads/{job}/song.wav",
        "/uploads/{job}/log.txt",
        "/uploads/.separated",
        "/uploads/.changes",
        "/uploads/.worker",
        "/cgi-bin/zip.py/../../uploads/{job}/state.json",
        "/docs/deployment.md",
        "/static/words/../../server.py",
        "/static/player/player.html",
        "/static/songs/song.html",
        "/health/../server.py",
        "/metrics/..%2fserver.py",
    ],
)
def test_only_a_jobs_own_stems_are_served(client, victim, target):
    reply = client.raw_get(target.format(job=victim))
    assert reply.status == 404
    assert b"import " not in reply.body
    assert b'"attempts"' not in reply.body


@pytest.mark.parametrize("level", ["1e999", "nan", "-1", "2.01", "../../etc/passwd", "", "%00", "1;ls"])
def test_a_mix_accepts_only_valid_levels(client, victim, level):
    reply = client.get(f"/cgi-bin/mix.py?job={victim}&vocals={level}&music=1")
    assert reply.status in (200, 400)
    assert (reply.status == 400) or level == ""


@pytest.mark.parametrize("field", ["model", "stems", "format"])
@pytest.mark.parametrize("value", ["../../server.py", "--help", "$(id)", "a b", "{source}", "{python}", "\0", "-", "/"])
@pytest.mark.parametrize("route", ["/cgi-bin/separate.py", "/cgi-bin/again.py"])
def test_no_choice_becomes_a_path_or_an_argument(fake_engine_server, client, victim, route, field, value):
    nb_folders = len(list((fake_engine_server.home / "uploads").iterdir()))
    choice = {"model": "starter", "stems": "2", "format": "wav"} | {field: value}
    reply = client.post(route, json_wanted=True, job=victim, **choice)
    assert reply.status == 400
    assert len(list((fake_engine_server.home / "uploads").iterdir())) == nb_folders
    assert untouched(fake_engine_server, client, victim)


# Races


@pytest.mark.parametrize("for_good", [False, True])
def test_requests_during_a_deletion_get_the_job_or_404(fake_engine_server, client, song, for_good):
    """All routes are requested again and again while a visitor or a program deletes the job."""
    job = client.uploaded_job(song(0.5), NAME)
    client.separate(job)
    client.wait_for(job, "done")
    targets = [target.format(job=job) for target in (*OF_A_JOB, *FILES)]
    statuses, stop = {}, threading.Event()

    def ask(target: str) -> None:
        while not stop.is_set():
            with contextlib.suppress(http.client.HTTPException):  # a zip or a mix may end early
                statuses.setdefault(target, []).append(client.get(target).status)

    askers = [threading.Thread(target=ask, args=(target,)) for target in targets]
    for asker in askers:
        asker.start()
    assert client.post("/cgi-bin/delete.py", json_wanted=for_good, job=job).status == (200 if for_good else 303)
    stop.wait(1)
    stop.set()
    for asker in askers:
        asker.join(60)
    assert {status for found in statuses.values() for status in found} <= {200, 204, 303, 404, 503}
    assert {client.get(target).status for target in targets} == {404}
    assert not (fake_engine_server.home / "uploads" / job).exists()
    assert (fake_engine_server.home / "downloads" / job).exists() == (not for_good)
    assert "Traceback" not in fake_engine_server.log.read_text()


@pytest.mark.parametrize("time", range(3))
def test_concurrent_deletions_and_separations_restore_no_job(fake_engine_server, client, song, time):
    job = client.uploaded_job(song(0.1), NAME)
    statuses = []

    def act(what: str) -> None:
        statuses.append(client.post(f"/cgi-bin/{what}.py", job=job, model="starter").status)

    actors = [threading.Thread(target=act, args=(what,)) for what in ("delete", "again", "separate", "delete")]
    for actor in actors:
        actor.start()
    for actor in actors:
        actor.join()
    assert set(statuses) <= {303, 404}
    processes.wait_until_gone(fake_engine_server.home, job)
    assert client.get(f"/downloads/{job}/vocals.wav").status == 404
    assert "Traceback" not in fake_engine_server.log.read_text()


# Pages of other sites


@pytest.mark.parametrize("target", EVERY_GET)
def test_dns_rebinding_gets_403(client, victim, target):
    """After DNS rebinding, the browser would let the other site's page read the response."""
    for host in ("rebound.example.org", "localhost.example.org", "127.0.0.1.nip.io", "[::1].example.org"):
        lines = [f"GET {target.format(job=victim)} HTTP/1.1", f"Host: {host}", "Connection: close", "", ""]
        reply = parse(client.raw("\r\n".join(lines).encode()))
        assert reply.status == 403
        assert NAME not in reply.text


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_posts_from_other_sites_get_403(fake_engine_server, client, victim, route, headers):
    headers = {name: value.format(port=client.port) for name, value in headers.items()}
    for encoding in (form, in_parts, as_text):
        body, content_type = encoding(f"job={victim}")
        assert client.request("POST", route, body, content_type | headers).status == 403
    assert untouched(fake_engine_server, client, victim)


def test_cors_is_never_allowed(client, victim):
    for target in (*EVERY_GET, *POSTS):
        asked = ["Origin: https://example.org", "Access-Control-Request-Method: POST"]
        assert client.raw_get(target.format(job=victim), *asked, method="OPTIONS").status == 501
        reply = client.raw_get(target.format(job=victim), "Origin: https://example.org")
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


# Security headers of every route


def test_the_table_has_every_route(victim):
    assert {target.partition("?")[0] for target in EVERY_GET} >= {"/", *GETS, *routes.REPORTS}
    assert set(POSTS) | set(GETS) == set(routes.SCRIPTS)


@pytest.mark.parametrize("target", EVERY_GET)
def test_every_route_sends_the_security_headers(client, victim, target):
    for headers in ([], ["Accept: application/json"], ["Range: bytes=0-0"]):
        reply = client.raw_get(target.format(job=victim), *headers)
        assert reply.status in (200, 204, 206, 303, 503)
        for name, value in SECURITY_HEADERS.items():
            assert reply.headers.get_all(name) == [value], name
        assert reply.status == 204 or len(reply.headers.get_all("Content-Type")) == 1
        assert "Set-Cookie" not in reply.headers
        if target not in OPEN_TO_ALL:
            kept = reply.headers.get("Cache-Control", "")
            assert reply.status == 204 or kept in ("no-store", "private, no-cache")


@pytest.mark.parametrize("route", POSTS)
def test_every_form_sends_the_security_headers(client, route):
    for headers in ({}, {"Accept": "application/json"}):
        reply = client.request("POST", route, *[form("job=x")[0], form("")[1] | headers])
        assert reply.status in (400, 404)
        for name, value in SECURITY_HEADERS.items():
            assert reply.headers.get_all(name) == [value], name
        assert "Set-Cookie" not in reply.headers


def test_audio_is_never_served_as_html(client, victim):
    """A song may contain HTML; its content type and nosniff keep browsers from rendering it."""
    for target in FILES:
        reply = client.get(target.format(job=victim))
        assert reply.headers.get("Content-Type", "audio/wav") in ("audio/wav", "application/octet-stream")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
