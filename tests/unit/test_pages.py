"""Formatting and escaping in pages, templates, and small functions of the web side."""

import string
from email.message import Message

import pytest

from tests.support.project import PROJECT
from webapp.engines import table
from webapp.errors import JobNotFound
from webapp.jobs import store
from webapp.limits import Limits
from webapp.pages import rendering
from webapp.pages.attachment import attachment
from webapp.server import request_checks
from webapp.worker import separation


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (0.01, "0:00.01"),
        (0.4, "0:00.40"),
        (0.996, "0:01"),
        (7, "0:07"),
        (59.6, "1:00"),
        (205, "3:25"),
        (3599.7, "1:00:00"),
        (3723, "1:02:03"),
    ],
)
def test_lengths_are_formatted(seconds, shown):
    assert rendering.format_length(seconds) == shown


def test_values_are_escaped_in_pages():
    page = rendering.page("error.html", heading="<b>&\"'", sentence="$heading ${x} <script>", way="", quiet="")
    assert "&lt;b&gt;&amp;&quot;&#x27;" in page
    assert "$heading ${x} &lt;script&gt;" in page


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "webapp" / "pages" / "templates").rglob("*.html")), ids=lambda path: path.name
)
def test_templates_keep_the_content_security_policy(path):
    page = path.read_text("utf-8")
    assert "//" not in page.replace("<!doctype", "")
    for forbidden in ("<style", "style=", "onclick", "onload", "javascript:"):
        assert forbidden not in page
    assert [blank.group() for blank in string.Template.pattern.finditer(page) if blank["invalid"] is not None] == []


@pytest.mark.parametrize(
    ("log", "percent"),
    [
        ("", 0.0),
        ("fetching umx:  34%|###", 0.0),
        ("separating:   0%|", 0.0),
        ("separating:   1%|\rseparating:  34%|###\rsep", 34.0),
        ("fetching umx: 100%|\rseparating: 100%|###|", 100.0),
    ],
)
def test_the_percentage_is_the_last_one_logged(log, percent):
    assert table.find_engine("openunmix").parse_progress(log).percent == percent


def head(**headers: str) -> Message:
    message = Message()
    for name, value in ({"Host": "localhost:8000"} | headers).items():
        message[name.replace("_", "-")] = value
    return message


def test_a_get_needs_no_length_and_no_origin():
    assert request_checks.check("GET", head(), Limits()) == 0
    assert request_checks.check("GET", head(Origin="http://example.org"), Limits()) == 0


@pytest.mark.parametrize("name", ["song.wav", 'a"b\\c%.wav', "歌.wav", "a\nb\rc\0.wav", "a;b=c, d.wav"])
def test_content_disposition_is_one_ascii_line(name):
    disposition = attachment(name)
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.count('"') == 2


@pytest.mark.parametrize(
    "job", ["", "x", "..", "0" * 31, "0" * 33, "0" * 31 + "\n", "0" * 32 + "\n", "A" * 32, "٠" * 32]
)
def test_invalid_job_ids_are_not_found(job):
    with pytest.raises(JobNotFound):
        store.load(job)


def test_process_id_0_kills_nothing(monkeypatch):
    """A worker that is killed right after it has started a separation leaves a job without a process id."""
    killed = []
    monkeypatch.setattr(separation.os, "killpg", lambda *arguments: killed.append(arguments))
    separation.kill_group(0)
    assert killed == []
    separation.kill_group(12345)
    assert [pid for pid, _ in killed] == [12345]
