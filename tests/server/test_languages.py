"""Each response is in the language that its request asks for."""

import re

import pytest

UKRAINIAN = {"Accept-Language": "uk-UA,uk;q=0.9,en;q=0.8"}


@pytest.fixture(scope="module")
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.mark.parametrize("path", ["/", "/nothing", "/cgi-bin/job.py?job=x", "/cgi-bin/upload.py", "/cgi-bin/songs.py"])
def test_every_page_declares_its_language(client, path):
    english, ukrainian = client.get(path), client.request("GET", path, headers=UKRAINIAN)
    assert english.status == ukrainian.status
    assert '<html lang="en">' in english.text
    assert '<html lang="uk">' in ukrainian.text
    assert re.search("[а-яіїєґ]", ukrainian.text)
    assert not re.search("[а-яіїєґ]", english.text)


def test_the_home_page_varies_by_language(client):
    assert client.get("/").headers["Vary"] == "Accept-Language"


def test_json_errors_are_translated_and_states_are_not(client, song):
    job = client.uploaded_job(song(0.1))
    headers = UKRAINIAN | {"Accept": "application/json"}
    state = client.request("GET", f"/cgi-bin/job.py?job={job}", headers=headers).json()
    assert state["state"] == "uploaded"
    assert re.search("[а-яіїєґ]", client.request("GET", "/nothing", headers=headers).json()["error"])
    refused = client.request("POST", "/cgi-bin/upload.py", b"x", headers | {"Content-Type": "text/plain"})
    assert re.search("[а-яіїєґ]", refused.json()["error"])


def test_each_request_of_a_connection_has_its_own_language(client):
    """The server's thread must not keep the language of the previous request."""
    blank = b"GET /nothing%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    home = b"GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    answer = client.raw(home % b"Accept-Language: uk\r\n" + blank % (1, b""))
    assert answer.count(b'<html lang="uk">') == 1
    assert answer.count(b'<html lang="en">') == 1
