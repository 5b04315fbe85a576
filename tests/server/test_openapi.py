"""The responses of a real server are those that docs/openapi.yaml describes."""

import jsonschema
import pytest
import yaml

from tests.support.forms import CONTENT_TYPE, upload_form
from tests.support.project import PROJECT
from tests.support.wave_files import SONG
from webapp.audio import export_formats
from webapp.server import routes

DESCRIPTION = yaml.safe_load((PROJECT / "docs" / "openapi.yaml").read_text("utf-8"))
JSON, URLENCODED = "application/json", "application/x-www-form-urlencoded"
PAGES = ("/cgi-bin/uploaded.py", "/cgi-bin/download.py")  # for browsers only
NO_JOB = "0" * 32


@pytest.fixture(scope="module")
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture(scope="module")
def job(client):
    return client.finished_job(SONG)


def _resolve(node: dict) -> dict:
    while "$ref" in node:
        reference, node = node["$ref"], DESCRIPTION
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]
    return node


def ask(client, method: str, path: str, route: str = "", body: bytes = b"", kind: str = URLENCODED):
    """Send a request, and check its response against the description. Returns the response."""
    headers = {"Accept": JSON} | ({"Content-Type": kind} if body else {})
    reply = client.request(method, path, body or None, headers)
    operation = DESCRIPTION["paths"][route or path.partition("?")[0]][method.lower()]
    assert str(reply.status) in operation["responses"], f"{method} {path}: {reply.status}"
    content = _resolve(operation["responses"][str(reply.status)]).get("content", {})
    if content:
        schema = content[reply.headers["Content-Type"].partition(";")[0]].get("schema")
        if schema:
            jsonschema.validate(reply.json(), {**schema, "components": DESCRIPTION["components"]})
    return reply


def test_the_description_names_every_route_for_programs():
    described = {(path, method.upper()) for path, methods in DESCRIPTION["paths"].items() for method in methods}
    served = {(route, method) for route, method in routes.SCRIPTS.items() if route not in PAGES}
    assert served <= described
    assert {path for path, _ in described} == {route for route, _ in served} | {
        routes.HEALTH,
        "/downloads/{job}/{file}",
    }


def test_the_steps_of_a_song(client, job):
    upload = ask(client, "POST", "/cgi-bin/upload.py", body=upload_form(SONG), kind=CONTENT_TYPE)
    assert upload.status == 201
    assert ask(client, "PUT", "/cgi-bin/upload.py?filename=a.wav", body=SONG, kind="audio/wav").status == 201
    new = upload.json()["job"]
    assert ask(client, "POST", "/cgi-bin/separate.py", body=f"job={new}".encode()).status == 202
    assert ask(client, "POST", "/cgi-bin/separate.py", body=f"job={new}&job={job}".encode()).status == 202
    assert ask(client, "GET", f"/cgi-bin/job.py?job={new}").status == 200
    assert ask(client, "POST", "/cgi-bin/again.py", body=f"job={job}".encode()).status == 202
    assert ask(client, "GET", "/cgi-bin/songs.py").status == 200
    assert ask(client, "GET", f"/cgi-bin/zip.py?job={job}").status == 200
    assert ask(client, "GET", f"/cgi-bin/mix.py?job={job}&vocals=0.5").status == 200
    assert ask(client, "GET", f"/cgi-bin/mix.py?job={job}&vocals=0.5&format=flac&rate=48000").status == 200
    assert ask(client, "GET", f"/downloads/{job}/vocals.wav", "/downloads/{job}/{file}").status == 200
    assert ask(client, "POST", "/cgi-bin/delete.py", body=f"job={new}".encode()).status == 200
    ask(client, "GET", "/health")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/cgi-bin/upload.py", b"", 400),
        ("PUT", "/cgi-bin/upload.py", b"not a song", 400),
        ("POST", "/cgi-bin/cancel.py", b"", 400),
        ("POST", "/cgi-bin/restore.py", b"", 400),
        ("POST", "/cgi-bin/delete.py", b"", 400),
        ("POST", "/cgi-bin/separate.py", b"job=" + NO_JOB.encode(), 404),
        ("POST", "/cgi-bin/again.py", b"job=", 404),
        ("POST", "/cgi-bin/delete.py", b"job=x", 404),
        ("GET", "/cgi-bin/job.py", b"", 404),
        ("GET", f"/cgi-bin/zip.py?job={NO_JOB}", b"", 404),
        ("GET", f"/cgi-bin/mix.py?job={NO_JOB}", b"", 404),
    ],
)
def test_errors(client, method, path, body, status):
    assert ask(client, method, path, body=body).status == status


def test_a_choice_that_cannot_be_used(client, job):
    assert ask(client, "POST", "/cgi-bin/again.py", body=f"job={job}&model=none".encode()).status == 400
    assert ask(client, "GET", f"/cgi-bin/mix.py?job={job}&vocals=loud").status == 400
    assert ask(client, "GET", f"/cgi-bin/zip.py?job={job}&format=mod").status == 400
    assert ask(client, "GET", f"/downloads/{job}/vocals.wav?rate=1", "/downloads/{job}/{file}").status == 400
    assert ask(client, "POST", "/cgi-bin/separate.py", body=f"job={job}&model=umx".encode()).status == 409


def test_the_formats_and_rates_are_those_of_downloads():
    parameters = DESCRIPTION["components"]["parameters"]
    assert parameters["Format"]["schema"]["enum"] == list(export_formats.FORMATS)
    assert parameters["Rate"]["schema"]["enum"] == list(map(str, export_formats.RATES))
