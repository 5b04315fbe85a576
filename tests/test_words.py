"""Every sentence that people read is there in every language, and each visitor gets the language that they ask for."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from webapp import engines, words

BLANK = re.compile(r"[{$]\w+\}?")
IN_HTML = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
IN_JAVASCRIPT = re.compile(r'\bsay\(\s*"((?:[^"\\]|\\.)*)"')
CALLS = ("say", "later")
MODELS = ("umx", "umxhq", "umxl", "starter")
FILES = sorted((PROJECT / "static" / "words").glob("*.json"))


def python_files() -> list[Path]:
    return [PROJECT / "server.py", *(PROJECT / "cgi-bin").glob("*.py"), *(PROJECT / "webapp").rglob("*.py")]


def from_python(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    said = [call.args[0] for call in calls if getattr(call.func, "id", "") in CALLS and call.args]
    return {sentence.value for sentence in said if isinstance(sentence, ast.Constant)}


def from_html(path: Path) -> set[str]:
    return {" ".join(sentence.split()) for sentence in IN_HTML.findall(path.read_text("utf-8"))}


def from_javascript(path: Path) -> set[str]:
    return {json.loads(f'"{sentence}"') for sentence in IN_JAVASCRIPT.findall(path.read_text("utf-8"))}


def from_the_table_of_engines() -> set[str]:
    found = set()
    for engine in engines.table().values():
        found |= {*engine.statuses.values()} | {
            words for model in engine.models for words in (model.about, model.licence)
        }
    return found


@cache
def from_the_models() -> set[str]:
    """What the models that come with the project are said to be; others may lie beside them."""
    command = [sys.executable, "-m", "openunmix_models", "list", "--json"]
    listed = json.loads(subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout)
    return {words for model in listed if model["name"] in MODELS for words in (model["description"], model["licence"])}


def sentences() -> set[str]:
    """All that is said in English."""
    static = PROJECT / "static"
    found = [from_python(path) for path in python_files()]
    found += [from_html(path) for path in static.rglob("*.html")] + [
        from_javascript(path) for path in static.rglob("*.js")
    ]
    return set().union(*found, from_the_table_of_engines(), from_the_models())


def test_sentences_are_found_in_all_three_places():
    assert {"Send file", "Number {position} in the queue.", "Sending…"} <= sentences()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_language_has_every_sentence_and_no_other(path):
    translations, said = json.loads(path.read_text("utf-8")), sentences()
    assert sorted(said - translations.keys()) == []
    assert sorted(translations.keys() - said) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translation_has_the_blanks_of_its_sentence(path):
    for sentence, translation in json.loads(path.read_text("utf-8")).items():
        assert sorted(BLANK.findall(translation)) == sorted(BLANK.findall(sentence)), sentence
        assert translation.strip()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,en-US;q=0.8,en;q=0.7", "uk"),
        ("UK-ua", "uk"),
        ("en-US,en;q=0.9,uk;q=0.8", "en"),
        ("en;q=0.5, uk;q=0.8", "uk"),
        ("de, fr;q=0.9, uk;q=0.1", "uk"),
        ("de", "en"),
        ("*", "en"),
        ("uk;q=0", "en"),
        ("uk;q=0, *", "en"),
        ("*;q=0.1, uk;q=0.2", "uk"),
        ("../../etc/passwd", "en"),
        ("uk;q=nonsense", "en"),
        ("uk;q=2", "en"),
        (",;,=", "en"),
        ("uk" * 9999, "en"),
    ],
)
def test_a_visitor_gets_the_language_that_they_like_best(header, language):
    words.listen(header)
    try:
        assert words.language.get() == language
    finally:
        words.listen("")


def test_what_has_no_translation_is_said_in_english(monkeypatch):
    monkeypatch.setattr(words, "_translations", lambda language: {})
    words.listen("uk")
    try:
        assert words.say("Brand {new} and {unknown}.", new="<{unknown}>") == "Brand <{unknown}> and {unknown}."
    finally:
        words.listen("")


UKRAINIAN = {"Accept-Language": "uk-UA,uk;q=0.9,en;q=0.8"}


@pytest.fixture(scope="module")
def client(quick_server):
    return quick_server.client()


@pytest.mark.parametrize("path", ["/", "/nothing", "/cgi-bin/job.py?job=x", "/cgi-bin/upload.py", "/cgi-bin/songs.py"])
def test_every_page_says_its_language(client, path):
    english, ukrainian = client.get(path), client.request("GET", path, headers=UKRAINIAN)
    assert english.status == ukrainian.status
    assert '<html lang="en">' in english.text
    assert '<html lang="uk">' in ukrainian.text
    assert re.search("[а-яіїєґ]", ukrainian.text)
    assert not re.search("[а-яіїєґ]", english.text)


def test_the_home_page_says_that_it_depends_on_the_language(client):
    assert client.get("/").headers["Vary"] == "Accept-Language"


def test_programs_get_sentences_in_their_language_too_and_the_rest_as_ever(client, song):
    job = client.uploaded_job(song(0.1))
    headers = UKRAINIAN | {"Accept": "application/json"}
    state = client.request("GET", f"/cgi-bin/job.py?job={job}", headers=headers).json()
    assert state["state"] == "uploaded"
    assert re.search("[а-яіїєґ]", client.request("GET", "/nothing", headers=headers).json()["error"])
    refused = client.request("POST", "/cgi-bin/upload.py", b"x", headers | {"Content-Type": "text/plain"})
    assert re.search("[а-яіїєґ]", refused.json()["error"])


def test_one_connection_can_speak_two_languages(client):
    """The server's thread must not go on in the language of the request before."""
    blank = b"GET /nothing%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    home = b"GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    answer = client.raw(home % b"Accept-Language: uk\r\n" + blank % (1, b""))
    assert answer.count(b'<html lang="uk">') == 1
    assert answer.count(b'<html lang="en">') == 1
