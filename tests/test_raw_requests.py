"""Some hundred raw requests, honest, hand-made and spoiled; the long run sends twenty thousand. And what it found."""

import json

import pytest

from tests.client import parse
from webapp.serving.connection import SECURITY_HEADERS

URLENCODED = "application/x-www-form-urlencoded"


def test_no_request_breaks_the_server(trial):
    rows = trial("requests", 400, 1)
    assert sum(row["trials"] for row in rows) > 400
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []


def test_a_server_that_breaks_is_found(home, trial):
    connection = home / "webapp" / "serving" / "connection.py"
    connection.write_text(connection.read_text().replace("default_request_version", "another_version"))
    assert "without a head" in json.dumps(trial("requests", 400, 1))


@pytest.mark.parametrize(
    "request_", [b"GET /\r\nHost: localhost\r\n\r\n", b"GET /\r\n\r\n", b"no request\r\n\r\n", b"\0"]
)
def test_the_answer_to_what_is_no_request_of_today_has_a_head(client, request_):
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
def test_a_form_that_is_no_text_is_refused(client, script, content_type, body):
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    reply = client.request("POST", f"/cgi-bin/{script}.py", body, headers)
    assert (reply.status, list(reply.json())) == (400, ["error"])
