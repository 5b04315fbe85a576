"""Every language has every sentence, and each visitor gets the language that they prefer."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import PROJECT
from webapp import translation
from webapp.engines import table

BLANK = re.compile(r"[{$]\w+\}?")
IN_HTML = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
IN_JAVASCRIPT = re.compile(r'\btranslate\(\s*"((?:[^"\\]|\\.)*)"')
CALLS = ("translate", "mark_for_translation")
MODELS = ("umx", "umxhq", "umxl", "blend", "spleeter", "starter")
FILES = sorted((PROJECT / "webapp" / "pages" / "translations").glob("*.json"))


def python_files() -> list[Path]:
    return [PROJECT / "server.py", *(PROJECT / "cgi-bin").glob("*.py"), *(PROJECT / "webapp").rglob("*.py")]


def from_python(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    marked = [call.args[0] for call in calls if getattr(call.func, "id", "") in CALLS and call.args]
    return {sentence.value for sentence in marked if isinstance(sentence, ast.Constant)}


def from_html(path: Path) -> set[str]:
    return {" ".join(sentence.split()) for sentence in IN_HTML.findall(path.read_text("utf-8"))}


def from_javascript(path: Path) -> set[str]:
    return {json.loads(f'"{sentence}"') for sentence in IN_JAVASCRIPT.findall(path.read_text("utf-8"))}


def from_the_table_of_engines() -> set[str]:
    found = set()
    for engine in table.engines().values():
        facts = [*engine.facts.values(), *(model.facts for model in engine.models)]
        found |= {*engine.statuses.values()} | {words for fact in facts for words in (fact.good_for, fact.figures)}
        found |= {note.sentence for note in engine.notes}
        found |= {words for model in engine.models for words in (model.about, model.licence)}
    return found - {""}


@cache
def from_the_models() -> set[str]:
    """The descriptions and licences of the project's own models; there may be others in the folder."""
    command = [sys.executable, "-m", "openunmix_models", "list", "--json"]
    listed = json.loads(subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout)
    return {words for model in listed if model["name"] in MODELS for words in (model["description"], model["licence"])}


def sentences() -> set[str]:
    """All English sentences of the application."""
    static = PROJECT / "static"
    found = [from_python(path) for path in python_files()]
    templates = PROJECT / "webapp" / "pages" / "templates"
    found += [from_html(path) for path in templates.rglob("*.html")] + [
        from_javascript(path) for path in static.rglob("*.js")
    ]
    return set().union(*found, from_the_table_of_engines(), from_the_models())


def test_sentences_are_found_in_all_three_places():
    assert {"Send file", "Number {position} in the queue.", "Sending…"} <= sentences()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_language_has_every_sentence_and_no_other(path):
    translations, used = json.loads(path.read_text("utf-8")), sentences()
    assert sorted(used - translations.keys()) == []
    assert sorted(translations.keys() - used) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translation_has_the_placeholders_of_its_sentence(path):
    for sentence, translated in json.loads(path.read_text("utf-8")).items():
        assert sorted(BLANK.findall(translated)) == sorted(BLANK.findall(sentence)), sentence
        assert translated.strip()


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
def test_the_preferred_language_is_chosen(header, language):
    translation.set_language(header)
    try:
        assert translation.language.get() == language
    finally:
        translation.set_language("")


def test_sentences_without_a_translation_stay_english(monkeypatch):
    monkeypatch.setattr(translation, "_translations", lambda language: {})
    translation.set_language("uk")
    try:
        assert translation.translate("Brand {new} and {x}.", new="<{x}>") == "Brand <{x}> and {x}."
    finally:
        translation.set_language("")
