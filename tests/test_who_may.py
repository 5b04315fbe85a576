"""Who may do what: attempts on another visitor's job, the source and the file system, by every route there is."""

import contextlib
import http.client
import json
import threading

import pytest

import server
from tests import processes
from tests.client import BOUNDARY, Client, parse
from webapp.serving import static
from webapp.serving.connection import SECURITY_HEADERS

NAME = "Nobody elses.wav"
FORM = "application/x-www-form-urlencoded"
GETS = sorted(route for route, method in server.CGI_SCRIPTS.items() if method == "GET")
POSTS = sorted(route for route, method in server.CGI_SCRIPTS.items() if method == "POST")
OF_A_JOB = [f"{route}?job={{job}}" for route in GETS if route != "/cgi-bin/songs.py"]
FILES = [f"/downloads/{{job}}/{name}" for name in ("vocals.wav", "music.wav", "mixture.wav", "vocals.peaks")]
FILES += [f"/downloads/{{job}}/{name}.spectrogram" for name in ("mixture", "music")]
OPEN_TO_ALL = ["/", "/cgi-bin/songs.py", *server.REPORTS, *sorted(static.FILES)[:2]]
EVERY_GET = [*OPEN_TO_ALL, *OF_A_JOB, *FILES]

# What somebody may try who has seen the log (its first eight characters) or knows how ids are made.
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
def victim(quick_server, song) -> str:
    """The job of somebody else, which is done and has its pictures."""
    client = quick_server.client()
    job = client.uploaded_job(song(0.5), NAME)
    client.separate(job)
    client.wait_for(job, "done")
    return job


@pytest.fixture
def client(quick_server) -> Client:
    return quick_server.client()


def form(body: str) -> tuple[str, dict[str, str]]:
    return body, {"Content-Type": FORM}


def in_parts(body: str) -> tuple[str, dict[str, str]]:
    """The same fields as multipart."""
    fields = [field.split("=", 1) for field in body.split("&")]
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
    return "".join(parts) + f"--{BOUNDARY}--\r\n", {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def as_json(body: str) -> tuple[str, dict[str, str]]:
    fields = dict(field.split("=", 1) for field in body.split("&"))
    return json.dumps(fields), {"Content-Type": "application/json"}


def as_text(body: str) -> tuple[str, dict[str, str]]:
    return body, {"Content-Type": "text/plain"}


def untouched(quick_server, client, job: str) -> bool:
    stems = [client.request("HEAD", f"/downloads/{job}/{stem}.wav").status for stem in ("vocals", "music")]
    return client.state(job)["state"] == "done" and stems == [200, 200]


# Another visitor's job


@pytest.mark.parametrize("route", OF_A_JOB)
def test_no_guess_shows_another_ones_job(client, victim, route):
    for guess in GUESSES:
        target = route.format(job=guess.format(short=victim[:8]).replace(" ", "+"))
        for headers in ([], ["Accept: application/json"]):
            reply = client.raw_get(target, *headers)
            assert reply.status in (400, 404), target
            assert NAME not in reply.text
            assert victim not in reply.text


@pytest.mark.parametrize("encoding", [form, in_parts, as_json, as_text])
@pytest.mark.parametrize("route", [route for route in POSTS if route != server.UPLOAD])
def test_no_guess_changes_another_ones_job(quick_server, client, victim, route, encoding):
    for guess in GUESSES[:8]:
        body, headers = encoding(f"job={guess.format(short=victim[:8])}&model=starter")
        reply = client.request("POST", route, body, headers)
        assert reply.status in (400, 404, 415), guess
        assert NAME not in reply.text
    assert untouched(quick_server, client, victim)


@pytest.mark.parametrize("target", FILES)
def test_no_guess_downloads_another_ones_files(client, victim, target):
    for guess in GUESSES:
        reply = client.raw_get(target.format(job=guess.format(short=victim[:8]).replace(" ", "+")))
        assert reply.status in (400, 404)


@pytest.mark.parametrize("route", [route for route in POSTS if route != server.UPLOAD])
def test_a_link_or_a_picture_on_another_page_changes_nothing(quick_server, client, victim, route):
    """What a GET can do, a page elsewhere can have a browser do."""
    for method in ("GET", "HEAD"):
        for headers in ({}, {"X-HTTP-Method-Override": "POST"}, {"X-HTTP-Method": "DELETE"}, {"X-Method": "POST"}):
            assert client.request(method, f"{route}?job={victim}", headers=headers).status == 405
    assert client.request("POST", f"{route}?job={victim}", *form("")).status == 404  # a form's fields stand in its body
    assert untouched(quick_server, client, victim)


def test_nobody_is_shown_a_list(quick_server, client, victim):
    for target in ("/cgi-bin/songs.py", "/cgi-bin/songs.py?visitor=", f"/cgi-bin/songs.py?job={victim}", "/metrics"):
        for headers in ([], ["Accept: application/json"], ["Cookie: visitor=" + "0" * 64], ["Cookie: visitor=*"]):
            reply = client.raw_get(target, *headers)
            assert reply.status == 200
            assert NAME not in reply.text
            assert victim[:8] not in reply.text


def test_what_a_job_keeps_of_its_visitor_is_no_cookie(quick_server, client, victim):
    kept = json.loads((quick_server.home / "uploads" / victim / "state.json").read_text())["visitor"]
    assert len(kept) == 64
    assert client.get("/cgi-bin/songs.py", Accept="application/json", Cookie=f"visitor={kept}").json() == {"songs": []}


# The source and the file system, from a job of one's own


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
        "/.deploy/README.md",
        "/static/words/../../server.py",
        "/static/player/player.html",
        "/static/songs/song.html",
        "/health/../server.py",
        "/metrics/..%2fserver.py",
    ],
)
def test_no_file_but_the_jobs_own_stems_is_given(client, victim, target):
    reply = client.raw_get(target.format(job=victim))
    assert reply.status == 404
    assert b"import " not in reply.body
    assert b'"attempts"' not in reply.body


@pytest.mark.parametrize("level", ["1e999", "nan", "-1", "2", "../../etc/passwd", "", "%00", "1;ls"])
def test_a_mix_takes_levels_and_nothing_else(client, victim, level):
    reply = client.get(f"/cgi-bin/mix.py?job={victim}&vocals={level}&music=1")
    assert reply.status in (200, 400)
    assert (reply.status == 400) or level == ""


@pytest.mark.parametrize("field", ["model", "stems", "format"])
@pytest.mark.parametrize("value", ["../../server.py", "--help", "$(id)", "a b", "{source}", "{python}", "\0", "-", "/"])
@pytest.mark.parametrize("route", ["/cgi-bin/separate.py", "/cgi-bin/again.py"])
def test_no_choice_becomes_a_path_or_an_argument(quick_server, client, victim, route, field, value):
    nb_folders = len(list((quick_server.home / "uploads").iterdir()))
    choice = {"model": "starter", "stems": "2", "format": "wav"} | {field: value}
    reply = client.post(route, json_wanted=True, job=victim, **choice)
    assert reply.status == 400
    assert len(list((quick_server.home / "uploads").iterdir())) == nb_folders
    assert untouched(quick_server, client, victim)


# Races


def test_while_a_job_is_deleted_nobody_gets_anything_but_it_or_nothing(quick_server, client, song):
    """All routes at once, over and over, around the moment at which the job goes."""
    job = client.uploaded_job(song(0.5), NAME)
    client.separate(job)
    client.wait_for(job, "done")
    targets = [target.format(job=job) for target in (*OF_A_JOB, *FILES)]
    statuses, stop = {}, threading.Event()

    def ask(target: str) -> None:
        while not stop.is_set():
            with contextlib.suppress(http.client.HTTPException):  # a zip or a mix that ends early
                statuses.setdefault(target, []).append(client.get(target).status)

    askers = [threading.Thread(target=ask, args=(target,)) for target in targets]
    for asker in askers:
        asker.start()
    assert client.post("/cgi-bin/delete.py", job=job).status == 303
    stop.wait(1)
    stop.set()
    for asker in askers:
        asker.join(60)
    assert {status for found in statuses.values() for status in found} <= {200, 204, 303, 404, 503}
    assert {client.get(target).status for target in targets} == {404}
    assert not (quick_server.home / "uploads" / job).exists()
    assert not (quick_server.home / "downloads" / job).exists()
    assert "Traceback" not in quick_server.log.read_text()


@pytest.mark.parametrize("time", range(3))
def test_two_who_delete_one_who_separates_and_one_who_does_so_again_bring_no_job_back(quick_server, client, song, time):
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
    processes.wait_until_gone(quick_server.home, job)
    assert client.get(f"/downloads/{job}/vocals.wav").status == 404
    assert "Traceback" not in quick_server.log.read_text()


# Pages of other sites


@pytest.mark.parametrize("target", EVERY_GET)
def test_a_name_that_was_made_to_lead_here_gets_nothing(client, victim, target):
    """DNS rebinding: the browser believes to be elsewhere, and would let that page read the answer."""
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
def test_no_page_of_another_site_posts(quick_server, client, victim, route, headers):
    headers = {name: value.format(port=client.port) for name, value in headers.items()}
    for encoding in (form, in_parts, as_text):
        body, content_type = encoding(f"job={victim}")
        assert client.request("POST", route, body, content_type | headers).status == 403
    assert untouched(quick_server, client, victim)


def test_no_page_of_another_site_may_ask_first_or_read(client, victim):
    for target in (*EVERY_GET, *POSTS):
        asked = ["Origin: https://example.org", "Access-Control-Request-Method: POST"]
        assert client.raw_get(target.format(job=victim), *asked, method="OPTIONS").status == 501
        reply = client.raw_get(target.format(job=victim), "Origin: https://example.org")
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


# What browsers are told, by every route


def test_every_route_is_in_this_table(victim):
    assert {target.partition("?")[0] for target in EVERY_GET} >= {"/", *GETS, *server.REPORTS}
    assert set(POSTS) | set(GETS) == set(server.CGI_SCRIPTS)


@pytest.mark.parametrize("target", EVERY_GET)
def test_every_route_forbids_framing_sniffing_and_strangers(client, victim, target):
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
def test_every_form_answers_with_the_same_headers(client, route):
    for headers in ({}, {"Accept": "application/json"}):
        reply = client.request("POST", route, *[form("job=x")[0], form("")[1] | headers])
        assert reply.status in (400, 404)
        for name, value in SECURITY_HEADERS.items():
            assert reply.headers.get_all(name) == [value], name
        assert "Set-Cookie" not in reply.headers


def test_what_is_served_is_never_taken_for_a_page(client, victim):
    """A song may hold HTML; its type, and that no browser may doubt it, keep it a song."""
    for target in FILES:
        reply = client.get(target.format(job=victim))
        assert reply.headers.get("Content-Type", "audio/wav") in ("audio/wav", "application/octet-stream")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_cannot_be_framed_and_its_cookie_not_read(quick_server, browser, song):
    """In a real browser: another site's frame stays empty, and a page's own script does not see the cookie."""
    address = f"http://127.0.0.1:{quick_server.port}"
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.set_input_files("input[type=file]", song(0.1))
    page.click("text=Send file")
    page.wait_for_url("**/uploaded.py*")
    assert [cookie["name"] for cookie in context.cookies()] == ["visitor"]
    assert page.evaluate("document.cookie") == ""
    page.goto("about:blank")
    page.set_content(f'<iframe src="{address}/"></iframe>')
    page.wait_for_timeout(500)
    assert "Send file" not in page.frames[-1].content()
    context.close()
