"""On a network: the password, what a proxy tells, the public name, and how often an address may do a thing."""

import base64
import subprocess
import sys
from email.message import Message

import pytest

from tests import waves
from tests.client import BOUNDARY, multipart
from webapp.limits import MAX_UPLOADS_A_MINUTE, MAX_WRONG_PASSWORDS
from webapp.refusal import Refusal
from webapp.serving import proxy, rates

PHRASE = "Größe: 12:34"
SECOND = waves.wave(b"\x05\x00\x05\x00" * 44100)
JSON = {"Accept": "application/json"}


def basic(password: str, name: str = "anyone") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def send(client, headers: dict[str, str], content: bytes = SECOND):
    form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return client.request("POST", "/cgi-bin/upload.py", multipart(content, "song.wav"), form | JSON | headers)


@pytest.fixture
def behind(quick_home, serve, tmp_path_factory):
    """A server as it stands behind a proxy, with a password."""
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text(f"{PHRASE}\nwhat else stands there is no password\n", "utf-8")
    file.chmod(0o600)
    return serve(f"--password-file={file}", "--behind-proxy", "--public-name=Songs.example.org")


@pytest.fixture
def client(behind):
    return behind.client()


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/cgi-bin/songs.py", "/metrics", "/nothing", "/server.py"])
def test_nothing_is_shown_without_the_password(client, path):
    for headers in ({}, basic("wrong"), basic(""), {"Authorization": "Bearer x"}, {"Authorization": "Basic ???"}):
        reply = client.request("GET", path, headers=headers)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith('Basic realm="')
        assert "Please enter the password." in reply.text


def test_with_the_password_all_goes_its_way(client):
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


def test_health_is_told_to_all_and_nothing_else_is(client):
    assert client.get("/health").status in (200, 503)
    for path in ("/health?", "/health/", "/health/../metrics", "/Health"):
        assert client.raw_get(path).status == 401, path


def test_who_guesses_is_stopped_and_others_are_not(behind, client):
    guesser, other = from_address("198.51.100.1"), from_address("198.51.100.2")
    statuses = [
        client.request("GET", "/", headers=guesser | basic(f"guess {number}")).status
        for number in range(2 * MAX_WRONG_PASSWORDS + 1)
    ]
    assert statuses[:MAX_WRONG_PASSWORDS] == [401] * MAX_WRONG_PASSWORDS
    assert 429 in statuses
    assert client.request("GET", "/", headers=other | basic(PHRASE)).status == 200
    for number in range(MAX_WRONG_PASSWORDS):
        client.request("GET", "/", headers=guesser | basic(f"guess {number}"))
    reply = client.request("GET", "/", headers=guesser | basic(PHRASE))
    assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (429, True)
    assert PHRASE not in behind.log.read_text()


def test_to_ask_without_a_password_is_no_guess(client):
    for _ in range(2 * MAX_WRONG_PASSWORDS):
        assert client.get("/").status == 401


@pytest.mark.parametrize("content", [b"", b"short\n", b"\nthe second line\n"])
def test_a_password_that_is_none_is_told_in_a_sentence(shared_server, tmp_path, content):
    (tmp_path / "password").write_bytes(content)
    for path in (tmp_path / "password", tmp_path / "nothing", tmp_path):
        command = [sys.executable, shared_server.home / "server.py", "--port=0", f"--password-file={path}"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert told.returncode == 2
        assert "argument --password-file: no password can be had from it" in told.stderr
        assert "Traceback" not in told.stderr


def test_the_public_name_is_welcome_and_no_other(client):
    headers = [f"{name}: {value}" for name, value in basic(PHRASE).items()]
    for host, status in (("songs.example.org", 200), ("SONGS.example.org:443", 200), ("example.org", 403)):
        lines = ["GET / HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
        assert client.raw("\r\n".join(lines).encode()).split()[1] == str(status).encode(), host


def test_a_post_to_the_public_name_comes_from_its_own_pages_only(client):
    own = {"Host": "songs.example.org", **basic(PHRASE)}
    assert send(client, own | {"Origin": "https://songs.example.org"}).status == 201
    assert send(client, own | {"Origin": "https://example.org"}).status == 403
    assert send(client, own | {"Origin": "https://songs.example.org.evil.org"}).status == 403


def test_a_cookie_given_over_tls_never_goes_without(client):
    https = {"X-Forwarded-Proto": "https"}
    assert "; Secure" in send(client, basic(PHRASE) | https).headers["Set-Cookie"]
    assert "Secure" not in send(client, basic(PHRASE)).headers["Set-Cookie"]


def test_the_log_names_the_visitors_address(behind, client):
    client.request("GET", "/", headers=basic(PHRASE) | from_address("203.0.113.9, 198.51.100.7"))
    assert '198.51.100.7 "GET / HTTP/1.1" 200' in behind.log.read_text()


def test_without_the_option_no_proxy_is_believed(quick_home, serve):
    server = serve()
    client = server.client()
    reply = send(client, from_address("198.51.100.7") | {"X-Forwarded-Proto": "https"})
    assert "Secure" not in reply.headers["Set-Cookie"]
    assert "198.51.100.7" not in server.log.read_text()
    assert client.raw_get("/", "X-Forwarded-Host: example.org").status == 200


def test_an_address_sends_so_many_songs_a_minute(quick_home, serve):
    limits = quick_home / "webapp" / "limits.py"
    text = limits.read_text()
    limits.write_text(text.replace(f"MAX_UPLOADS_A_MINUTE = {MAX_UPLOADS_A_MINUTE}", "MAX_UPLOADS_A_MINUTE = 2"))
    client = serve("--behind-proxy").client()
    statuses = [send(client, from_address("198.51.100.7")).status for _ in range(6)]
    assert 429 in statuses
    assert set(statuses) == {201, 429}
    assert {send(client, {}).status for _ in range(6)} == {201}  # this machine's own user


def test_the_songs_of_one_address_count_together(quick_home, serve):
    client = serve("--behind-proxy", "--max-songs=2").client()
    statuses = [send(client, from_address(f"2001:db8::{number}")).status for number in range(3)]
    assert statuses == [201, 201, 429]
    assert send(client, from_address("2001:db8:0:1::1")).status == 201


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ([], "127.0.0.1"),
        ([""], "127.0.0.1"),
        (["198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, "], "127.0.0.1"),
        (["198.51.100.7:80"], "127.0.0.1"),
        (["2001:DB8::7"], "2001:db8::7"),
        (["evil\x1b[31m"], "127.0.0.1"),
    ],
)
def test_the_address_is_what_the_proxy_has_added(told, address):
    headers = Message()
    for value in told:
        headers["X-Forwarded-For"] = value
    assert proxy.address(headers, "127.0.0.1") == address


def test_a_rate_begins_anew_with_each_minute_and_remembers_no_longer(monkeypatch):
    now = 1000.0 * rates.WINDOW_SECONDS + 50
    monkeypatch.setattr(rates.time, "monotonic", lambda: now)
    rate = rates.Rate(2, "No.")
    for _ in range(2):
        rate.spend("a")
    with pytest.raises(Refusal) as refused:
        rate.spend("a")
    assert refused.value.headers == {"Retry-After": "10"}
    rate.spend("b")
    now += 10
    rate.spend("a")
