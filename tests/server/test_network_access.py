"""Use on a network: password, reverse proxy, public name, and limits per address."""

import base64
import subprocess
import sys

import pytest

from tests.support import wave_files
from tests.support.wave_files import SONG
from webapp.limits import Limits

PHRASE = "Größe: 12:34"
SECOND = wave_files.wav(b"\x05\x00\x05\x00" * 44100)
JSON = {"Accept": "application/json"}


def basic(password: str, name: str = "anyone") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def send(client, headers: dict[str, str], content: bytes = SECOND):
    return client.upload(content, json_wanted=True, headers=headers)


@pytest.fixture
def behind(fake_engine_home, start_server, tmp_path_factory):
    """A server with a password and a public name behind a reverse proxy."""
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text(f"{PHRASE}\nwhat else stands there is no password\n", "utf-8")
    file.chmod(0o600)
    return start_server(f"--password-file={file}", "--behind-proxy", "--public-name=Songs.example.org")


@pytest.fixture
def client(behind):
    return behind.client()


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/cgi-bin/songs.py", "/metrics", "/nothing", "/server.py"])
def test_everything_requires_the_password(client, path):
    for headers in ({}, basic("wrong"), basic(""), {"Authorization": "Bearer x"}, {"Authorization": "Basic ???"}):
        reply = client.request("GET", path, headers=headers)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith('Basic realm="')
        assert "Please enter the password." in reply.text


def test_with_the_password_everything_works(client):
    headers = basic(PHRASE)
    assert client.request("GET", "/", headers=headers).status == 200
    job = send(client, headers).json()["job"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"job={job}&model=starter"
    assert client.request("POST", "/cgi-bin/separate.py", body, headers | JSON | form).status == 202
    assert client.request("GET", f"/cgi-bin/job.py?job={job}", headers=headers | JSON).status == 200


def test_an_upload_without_the_password_leaves_nothing(behind, client):
    assert send(client, basic(PHRASE[:-1])).status == 401
    assert not [path for path in (behind.home / "uploads").iterdir() if path.is_dir()]


def test_only_health_needs_no_password(client):
    assert client.get("/health").status in (200, 503)
    for path in ("/health?", "/health/", "/health/../metrics", "/Health"):
        assert client.raw_get(path).status == 401, path


def test_password_guesses_are_limited_per_address(behind, client):
    guesser, other = from_address("198.51.100.1"), from_address("198.51.100.2")
    statuses = [
        client.request("GET", "/", headers=guesser | basic(f"guess {number}")).status
        for number in range(2 * Limits().max_wrong_passwords + 1)
    ]
    assert statuses[: Limits().max_wrong_passwords] == [401] * Limits().max_wrong_passwords
    assert 429 in statuses
    assert client.request("GET", "/", headers=other | basic(PHRASE)).status == 200
    for number in range(Limits().max_wrong_passwords):
        client.request("GET", "/", headers=guesser | basic(f"guess {number}"))
    reply = client.request("GET", "/", headers=guesser | basic(PHRASE))
    assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (429, True)
    assert PHRASE not in behind.log.read_text()


def test_password_guesses_are_limited_per_ipv6_network(client):
    """A visitor has all addresses of a /64 network."""
    for number in range(3 * Limits().max_wrong_passwords):
        client.request("GET", "/", headers=from_address(f"2001:db8:0:7::{number:x}") | basic(f"guess {number}"))
    right = {address: from_address(address) | basic(PHRASE) for address in ("2001:db8:0:7::ffff", "2001:db8:0:8::1")}
    assert client.request("GET", "/", headers=right["2001:db8:0:7::ffff"]).status == 429
    assert client.request("GET", "/", headers=right["2001:db8:0:8::1"]).status == 200


def test_requests_without_a_password_do_not_count_as_guesses(client):
    for _ in range(2 * Limits().max_wrong_passwords):
        assert client.get("/").status == 401


@pytest.mark.parametrize("content", [b"", b"short\n", b"\nthe second line\n"])
def test_an_unusable_password_file_stops_the_start_with_a_message(shared_server, tmp_path, content):
    (tmp_path / "password").write_bytes(content)
    for path in (tmp_path / "password", tmp_path / "nothing", tmp_path):
        command = [sys.executable, shared_server.home / "server.py", "--port=0", f"--password-file={path}"]
        completed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert completed.returncode == 2
        assert "argument --password-file: the password cannot be read" in completed.stderr
        assert "Traceback" not in completed.stderr


def test_the_public_name_is_accepted_as_host(client):
    headers = [f"{name}: {value}" for name, value in basic(PHRASE).items()]
    for host, status in (("songs.example.org", 200), ("SONGS.example.org:443", 200), ("example.org", 403)):
        lines = ["GET / HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
        assert client.raw("\r\n".join(lines).encode()).split()[1] == str(status).encode(), host


def test_posts_to_the_public_name_need_its_own_origin(client):
    own = {"Host": "songs.example.org", **basic(PHRASE)}
    assert send(client, own | {"Origin": "https://songs.example.org"}).status == 201
    assert send(client, own | {"Origin": "https://example.org"}).status == 403
    assert send(client, own | {"Origin": "https://songs.example.org.evil.org"}).status == 403


def test_the_cookie_is_secure_over_tls(client):
    https = {"X-Forwarded-Proto": "https"}
    cookie = send(client, basic(PHRASE) | https).headers["Set-Cookie"]
    assert cookie.startswith("__Host-visitor=")
    assert "; Secure" in cookie
    assert "Set-Cookie" not in send(client, basic(PHRASE) | https | {"Cookie": cookie.split(";")[0]}).headers
    assert "Set-Cookie" in send(client, basic(PHRASE) | https | {"Cookie": cookie.split(";")[0][7:]}).headers
    assert "Secure" not in send(client, basic(PHRASE)).headers["Set-Cookie"]


def test_the_log_names_the_visitors_address(behind, client):
    client.request("GET", "/", headers=basic(PHRASE) | from_address("203.0.113.9, 198.51.100.7"))
    assert '198.51.100.7 "GET / HTTP/1.1" 200' in behind.log.read_text()


def test_forwarded_headers_are_ignored_without_behind_proxy(fake_engine_home, start_server):
    server = start_server()
    client = server.client()
    reply = send(client, from_address("198.51.100.7") | {"X-Forwarded-Proto": "https"})
    assert "Secure" not in reply.headers["Set-Cookie"]
    assert "198.51.100.7" not in server.log.read_text()
    assert client.raw_get("/", "X-Forwarded-Host: example.org").status == 200


def test_uploads_per_minute_are_limited_per_address(fake_engine_home, start_server):
    client = start_server("--behind-proxy", max_uploads_per_minute=2).client()
    statuses = [send(client, from_address("198.51.100.7")).status for _ in range(6)]
    assert 429 in statuses
    assert set(statuses) == {201, 429}
    assert {send(client, {}).status for _ in range(6)} == {201}  # local requests are not limited


def test_waiting_songs_are_limited_per_network(fake_engine_home, start_server):
    client = start_server("--behind-proxy", "--max-songs=2").client()
    statuses = [send(client, from_address(f"2001:db8::{number}")).status for number in range(3)]
    assert statuses == [201, 201, 429]
    assert send(client, from_address("2001:db8:0:1::1")).status == 201


def test_local_uploads_per_minute_are_not_limited(start_server):
    client = start_server(max_uploads_per_minute=2).client()
    for _ in range(4):
        assert client.uploaded_job(SONG)
