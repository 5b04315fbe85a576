"""HTTP requests: paths, methods, hosts, origins, ranges, caching and headers."""

import http.client
import io
import socket

import pytest
import soundfile

from tests.support.client import parse
from webapp.server.security_headers import SECURITY_HEADERS

SENTENCE = '<p class="error" role="alert">'
SOURCE_TEXT = (b"import ", b"def ", b"[core]", b"RIFF", b"Traceback", b'"attempts"', b"$sentence")

REFUSED_PATHS = """\
/.git/config
/.gitignore
/server.py
/server.py?x=/static/style.css
/README.md
/requirements.txt
/index.html
/webapp/
/webapp/jobs/store.py
/tests/client.py
/openunmix_models/starter/vocals.pth
/uploads
/uploads/
/uploads/.changes
/uploads/{job}
/uploads/{job}/
/uploads/{job}/song.wav
/uploads/{job}/state.json
/uploads/{job}/log.txt
/downloads
/downloads/
/downloads/.gitignore
/downloads/{job}
/downloads/{job}/
/downloads/{job}/song/vocals.wav
/downloads/{job}/song.wav
/downloads/{job}/residual.wav
/downloads/{job}/vocals.wav/
/downloads/{job}/vocals.wav%00
/downloads/{job}/vocals.wav%0A
/downloads/{job}/vocals.WAV
/downloads/{job}/../../server.py
/downloads/../uploads/{job}/song.wav
/downloads/%2e%2e/uploads/{job}/song.wav
/downloads/00000000000000000000000000000000/vocals.wav
/static
/static/
/static/uploaded.html
/static/error.html
/static/../server.py
/static/%2e%2e/server.py
/static/..%2fserver.py
/static/..%5cserver.py
/static/..\\server.py
/static/style.css/../../server.py
/static/style.css%00.html
/static//etc/passwd
/cgi-bin
/cgi-bin/
/cgi-bin/nothing.py
/cgi-bin/../server.py
/cgi-bin/%2e%2e/server.py
/cgi-bin/..%2fserver.py
/cgi-bin\\..\\server.py
/cgi-bin/job.py/
/cgi-bin/job.py/../../server.py
/cgi-bin/job.py#/../../server.py
/cgi-bin/x.py#/../../server.py
/cgi-bin/job.py%00
/cgi-bin/%6a/../job.py
/CGI-BIN/JOB.PY
/cgi-bin/__pycache__/
//server.py
//cgi-bin/../server.py
///etc/passwd
//etc/passwd
/../../../../etc/passwd
/%2e%2e/%2e%2e/etc/passwd
/..%c0%af..%c0%afetc/passwd
\\server.py
server.py
./server.py
../server.py
*
http://localhost/server.py
http://localhost/../server.py
http://example.org/
file:///etc/passwd
/%
/\x7f
/\xff\xfe
""".splitlines()


@pytest.fixture(scope="module")
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture(scope="module")
def done(fake_engine_server, song):
    """A finished job named `Ñandú "live" 歌.wav`."""
    client = fake_engine_server.client()
    job = client.uploaded_job(song(0.5), 'Ñandú "live" 歌.wav')
    client.separate(job)
    client.wait_for(job, "done")
    return job


@pytest.fixture(scope="module")
def stem(done):
    return f"/downloads/{done}/vocals.wav"


@pytest.fixture(scope="module")
def content(fake_engine_server, stem):
    return fake_engine_server.client().get(stem).body


# Paths


@pytest.mark.parametrize("target", REFUSED_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_file_of_the_project_is_served(client, done, target, method):
    headers = ["Content-Length: 0"] if method == "POST" else []
    reply = client.raw_get(target.replace("{job}", done), *headers, method=method)
    assert reply.status == 403 if "example.org" in target else reply.status in (400, 404, 405)
    assert SENTENCE in reply.text
    assert not [text for text in SOURCE_TEXT if text in reply.body]


def test_nul_and_blanks_in_a_target_are_refused(client):
    for target in ("/static/style.css\0", "/ /server.py", "/server.py\t"):
        assert client.raw_get(target).status in (400, 404, 505)


def test_a_long_target_and_long_headers_are_refused(client):
    assert client.raw_get("/" + "x" * 70_000).status == 414
    assert client.raw_get("/", "X-Long: " + "x" * 70_000).status == 431
    assert client.raw_get("/", *["X-Many: x"] * 200).status == 431


def test_malformed_requests_get_an_error_page(client):
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n"):
        answer = client.raw(garbage)
        assert SENTENCE.encode() in answer
        assert b"Traceback" not in answer


@pytest.mark.parametrize("job", ["", "x", "../uploads", "0" * 32, "0" * 31 + "G", "{job}/..", "{job}%00", "%2e%2e"])
@pytest.mark.parametrize("script", ["job", "uploaded", "download"])
def test_an_unknown_job_is_not_found(client, done, script, job):
    path = f"/cgi-bin/{script}.py?job={job}".replace("{job}", done)
    assert client.get(path).status == 404
    reply = client.get_json(path)
    assert reply.status == 404
    assert "There is no such file here." in reply.json()["error"]


def test_the_forms_of_an_unknown_job_are_not_found(client):
    for script in ("separate", "delete"):
        assert client.post(f"/cgi-bin/{script}.py", job="0" * 32).status == 404
        assert client.post(f"/cgi-bin/{script}.py", job="../../etc").status == 404
        assert client.post(f"/cgi-bin/{script}.py").status == 404


def test_an_unknown_model_is_refused(client, done):
    for model in ("nothing", "../../etc", "starter;ls", "--help"):
        reply = client.separate(done, model)
        assert reply.status == 400
        assert "starter" in reply.json()["error"]


# Methods


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT", "get", "X"])
@pytest.mark.parametrize("path", ["/", "/cgi-bin/job.py", "/cgi-bin/delete.py", "/uploads/x"])
def test_other_methods_get_501(client, method, path):
    reply = client.raw_get(path, method=method)
    assert reply.status == 501
    assert SENTENCE in reply.text


def test_the_response_to_a_refused_body_can_be_read(client):
    reply = client.request("PUT", "/song.wav", b"x" * 5_000_000)
    assert reply.status == 501


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "upload"),
        ("GET", "separate"),
        ("GET", "delete"),
        ("HEAD", "delete"),
        ("POST", "job"),
        ("POST", "download"),
    ],
)
def test_each_script_accepts_its_method_only(client, done, method, path):
    reply = client.request(method, f"/cgi-bin/{path}.py?job={done}", "" if method == "POST" else None)
    assert reply.status == 405
    assert reply.headers["Allow"] in ("GET", "POST")
    assert method == "HEAD" or SENTENCE in reply.text
    assert client.state(done)["state"] == "done"


def test_a_post_to_a_page_is_not_found(client):
    assert client.post("/").status == 404
    assert client.post("/static/style.css").status == 404


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/cgi-bin/download.py?job={done}", "{stem}", "/nothing"])
def test_head_returns_the_headers_of_get(client, done, stem, path):
    path = path.format(done=done, stem=stem)
    get, head = client.get(path), client.request("HEAD", path)
    assert head.status == get.status
    assert head.body == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified", "Content-Disposition"):
        assert head.headers[name] == get.headers[name]
    assert int(head.headers["Content-Length"]) == len(get.body)


# Origins and hosts


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1.example.org"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
    ],
)
@pytest.mark.parametrize("script", ["upload", "separate", "delete"])
def test_a_page_of_another_site_cannot_post(client, done, headers, script):
    headers = {name: value.format(port=client.port) for name, value in headers.items()}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.request("POST", f"/cgi-bin/{script}.py", f"job={done}", headers | form)
    assert reply.status == 403
    assert SENTENCE in reply.text
    assert client.state(done)["state"] == "done"


def test_the_sites_own_page_can_post(client, song):
    job = client.uploaded_job(song(0.1))
    headers = {
        "Origin": f"http://127.0.0.1:{client.port}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert client.request("POST", "/cgi-bin/delete.py", f"job={job}", headers).status == 303


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["example.org"],
        ["localhost.example.org"],
        ["localhost@example.org"],
        ["127.0.0.1.example.org:8000"],
        ["localhost", "localhost"],
        ["localhost", "example.org"],
        ["["],
        ["[::1"],
        ["[::1]x]"],
        ["localhost/../"],
        ["a b"],
    ],
)
@pytest.mark.parametrize("path", ["/", "/static/style.css", "/cgi-bin/job.py?job=x"])
def test_a_foreign_host_is_refused(client, hosts, path):
    lines = [f"GET {path} HTTP/1.1", *[f"Host: {host}" for host in hosts], "Connection: close", "", ""]
    reply = parse(client.raw("\r\n".join(lines).encode()))
    assert reply.status == 403
    assert SENTENCE in reply.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1234", "[::1]:8000", socket.gethostname()])
def test_the_machines_own_names_are_accepted_as_host(client, host):
    assert parse(client.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())).status == 200


# Headers


@pytest.mark.parametrize(
    ("target", "method", "headers", "status"),
    [
        ("/", "GET", [], 200),
        ("/", "HEAD", [], 200),
        ("/static/style.css", "GET", [], 200),
        ("/cgi-bin/download.py?job={done}", "GET", [], 200),
        ("/cgi-bin/job.py?job={done}", "GET", ["Accept: application/json"], 200),
        ("/cgi-bin/job.py?job={done}", "GET", [], 303),
        ("{stem}", "GET", [], 200),
        ("{stem}", "GET", ["Range: bytes=0-0"], 206),
        ("{stem}", "GET", ["If-None-Match: *"], 304),
        ("{stem}", "GET", ["Range: bytes=99999999-"], 416),
        ("/", "BAD\xff", [], 501),
        ("/ x", "GET", [], 400),
        ("/", "GET", ["Host: example.org"], 403),
        ("/nothing", "GET", [], 404),
        ("/cgi-bin/job.py?job=x", "GET", [], 404),
        ("/cgi-bin/upload.py", "GET", [], 405),
        ("/cgi-bin/upload.py", "POST", [], 411),
        ("/cgi-bin/upload.py", "POST", ["Content-Length: 99999999999"], 413),
        ("/cgi-bin/upload.py", "POST", ["Content-Length: 0"], 400),
        ("/" + "x" * 70_000, "GET", [], 414),
    ],
)
def test_every_response_has_the_security_headers(client, done, stem, target, method, headers, status):
    reply = client.raw_get(target.format(done=done, stem=stem), *headers, method=method)
    if "Host: example.org" not in headers:
        assert reply.status == status
    for name, value in SECURITY_HEADERS.items():
        assert reply.headers.get_all(name) == [value]
    assert "Python" not in reply.headers["Server"]


def test_pages_with_song_names_are_not_cached(client, done):
    assert client.get(f"/cgi-bin/download.py?job={done}").headers["Cache-Control"] == "no-store"


def test_connections_are_kept_alive(client, done):
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    connection.connect()
    first_socket = connection.sock
    for path in ("/", f"/cgi-bin/download.py?job={done}", "/static/style.css"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read()
        assert connection.sock is first_socket
    connection.close()


def test_a_download_is_named_after_the_song(client, stem):
    disposition = client.get(stem).headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert 'filename="_and_ _live_ _ - vocals.wav"' in disposition
    assert "filename*=UTF-8''%C3%91and%C3%BA%20_live_%20%E6%AD%8C%20-%20vocals.wav" in disposition


# Ranges and caching


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=0-99999999999", 0, None),
        ("bytes=-99999999999", 0, None),
        (" bytes=5-6 ", 5, 7),
    ],
)
def test_a_byte_range_is_served(client, stem, content, asked, start, end):
    reply = client.get(stem, Range=asked)
    assert reply.status == 206
    assert reply.body == content[start:end]
    first = start % len(content)
    assert reply.headers["Content-Range"] == f"bytes {first}-{first + len(reply.body) - 1}/{len(content)}"
    assert int(reply.headers["Content-Length"]) == len(reply.body)


@pytest.mark.parametrize("asked", ["bytes={size}-", "bytes=99999999999-", "bytes=-0"])
def test_an_unsatisfiable_range_gets_416(client, stem, content, asked):
    reply = client.get(stem, Range=asked.format(size=len(content)))
    assert reply.status == 416
    assert reply.headers["Content-Range"] == f"bytes */{len(content)}"
    assert reply.body == b""


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",
        "bytes=-",
        "bytes=5-2",
        "bytes=a-b",
        "lines=1-2",
        "bytes",
        "",
        "bytes=--1",
        "bytes=" + "9" * 6000 + "-",
    ],
)
def test_an_invalid_range_gets_the_whole_file(client, stem, content, asked):
    reply = client.get(stem, Range=asked)
    assert reply.status == 200
    assert reply.body == content
    assert reply.headers["Accept-Ranges"] == "bytes"


def test_a_range_is_for_get_only(client, stem, content):
    reply = client.request("HEAD", stem, headers={"Range": "bytes=0-9"})
    assert reply.status == 200
    assert int(reply.headers["Content-Length"]) == len(content)


def test_if_range_gets_the_whole_of_a_changed_file(client, stem, content):
    head = client.request("HEAD", stem).headers
    for mark in (head["ETag"], head["Last-Modified"]):
        assert client.get(stem, Range="bytes=0-9", If_Range=mark).status == 206
    for mark in ('"another"', "Mon, 01 Jan 2001 00:00:00 GMT", "W/" + head["ETag"]):
        assert client.get(stem, Range="bytes=0-9", If_Range=mark).body == content


def test_a_cached_file_gets_304(client, stem):
    head = client.request("HEAD", stem).headers
    tag = head["ETag"]
    for known in (tag, f'"another", {tag}', f"W/{tag}", "*"):
        reply = client.get(stem, If_None_Match=known)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", tag)
    assert client.get(stem, If_Modified_Since=head["Last-Modified"]).status == 304
    assert client.get(stem, If_None_Match=tag, Range="bytes=0-9").status == 304


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"another"'},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "no date"},
        {"If-Modified-Since": "Mon, 01 Jan 0001 00:00:00 -0000"},
        {"If-Modified-Since": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
    ],
)
def test_a_file_that_is_not_cached_is_sent(client, stem, content, headers):
    reply = client.request("GET", stem, headers=headers)
    assert reply.status == 200
    assert reply.body == content


def test_if_none_match_takes_precedence_over_the_date(client, stem, content):
    head = client.request("HEAD", stem).headers
    reply = client.get(stem, If_None_Match='"another"', If_Modified_Since=head["Last-Modified"])
    assert reply.body == content


def test_if_match_gets_412_for_another_version(client, stem, content):
    head = client.request("HEAD", stem).headers
    for tags in (head["ETag"], "*", f'"x", {head["ETag"]}'):
        assert client.get(stem, If_Match=tags).body == content
    for tags in ('"x"', f"W/{head['ETag']}", ""):
        assert client.get(stem, If_Match=tags).status == 412
    assert client.get(stem, If_Unmodified_Since=head["Last-Modified"]).status == 200
    assert client.get(stem, If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT").status == 412
    assert client.get(stem, If_Unmodified_Since="no date").status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/health", 200),
        ("HTTP://127.0.0.1:8000/health?x", 200),
        ("http://localhost", 200),
        ("http://localhost?x", 200),
        ("http://localhost/server.py", 404),
        ("http://example.org/", 403),
        ("http://me@localhost/", 403),
        ("http:///", 403),
    ],
)
def test_targets_in_absolute_form_are_taken(client, target, status):
    assert client.raw_get(target).status == status


@pytest.mark.parametrize("value", ["close", "foo, close", "Close", "close, foo", "a\r\nConnection: close"])
def test_connection_close_is_found_among_other_options(client, value):
    request = f"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\nConnection: {value}\r\n\r\n"
    assert client.raw(request.encode()).count(b"HTTP/1.1 200") == 1  # it returns when the server closes


def test_blank_lines_before_a_request_are_ignored(client):
    request = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n"
    assert client.raw(b"\r\n" + request + request.replace(b"Host", b"Connection: close\r\nHost")).count(b" 200 OK") == 2


def test_the_log_holds_no_traceback_and_no_whole_job(client, fake_engine_server, done, stem):
    """Last in this module: the log of all requests above."""
    client.get(stem)
    log = fake_engine_server.log.read_text()
    assert "Traceback" not in log
    assert done not in log
    assert done[:8] in log
    assert soundfile.info(io.BytesIO(client.get(stem).body)).frames == 22050


URLENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "request_", [b"GET /\r\nHost: localhost\r\n\r\n", b"GET /\r\n\r\n", b"no request\r\n\r\n", b"\0"]
)
def test_http_0_9_requests_get_a_response_with_headers(client, request_):
    reply = parse(client.raw(request_ + b"\r\n"))
    assert {name: reply.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert reply.status in (200, 400, 403)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b"job=\x98"),
        (f"{URLENCODED}; charset=utf-16", b"job=a"),
        (f"{URLENCODED}; charset=base64", b"job=a"),
        (f"{URLENCODED}; charset=nobodys", b"job=a"),
        (f"{URLENCODED}; charset=idna", b"job=xn--\xff"),
        (
            "multipart/form-data; boundary=x; charset=punycode",
            b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n',
        ),
    ],
)
@pytest.mark.parametrize("script", ["separate", "again", "delete"])
def test_forms_in_other_encodings_are_refused(client, script, content_type, body):
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    reply = client.request("POST", f"/cgi-bin/{script}.py", body, headers)
    assert (reply.status, list(reply.json())) == (400, ["error"])


def test_a_track_can_be_fetched_in_pieces(fake_engine_server, song):
    """A browser has six connections to a server, so nine long tracks would otherwise wait for each other."""
    client = fake_engine_server.client()
    job = client.uploaded_job(song(15.0))
    path = f"/downloads/{job}/mixture.wav"
    whole = client.get(path, Range="bytes=0-")
    first = client.get(f"{path}?in-pieces", Range="bytes=0-")
    rest = client.get(f"{path}?in-pieces", Range=f"bytes={len(first.body)}-")
    assert [reply.status for reply in (whole, first, rest)] == [206] * 3
    assert len(first.body) == 2 << 20
    assert first.headers["Content-Range"] == f"bytes 0-{(2 << 20) - 1}/{len(whole.body)}"
    assert first.body + rest.body == whole.body
