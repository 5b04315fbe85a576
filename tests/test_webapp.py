"""What can be asked of the web side's modules without a server."""

import ast
import string
import subprocess
import sys
from email.message import Message
from http import HTTPStatus

import pytest

from tests import waves
from tests.conftest import PROJECT
from webapp import engines, jobs, sounds
from webapp.background import separation
from webapp.html import pages
from webapp.locks import acquire, is_held
from webapp.names import attachment
from webapp.refusal import Refusal
from webapp.serving import guard


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (0.4, "0:00"), (7, "0:07"), (59.6, "1:00"), (205, "3:25"), (3599.7, "1:00:00"), (3723, "1:02:03")],
)
def test_a_length_is_written_as_people_do(seconds, shown):
    assert pages.length(seconds) == shown


def test_what_comes_from_outside_is_made_safe_for_a_page():
    page = pages.page("error.html", heading="<b>&\"'", sentence="$heading ${x} <script>")
    assert "&lt;b&gt;&amp;&quot;&#x27;" in page
    assert "$heading ${x} &lt;script&gt;" in page


@pytest.mark.parametrize("path", sorted((PROJECT / "static").glob("*.html")), ids=lambda path: path.name)
def test_no_page_fetches_anything_from_outside_or_holds_what_the_policy_forbids(path):
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
def test_the_percent_is_the_last_that_was_said(log, percent):
    assert engines.get("openunmix").look(log).percent == percent


@pytest.mark.parametrize(
    "module", ["server", "webapp.background.worker", "webapp.metadata.tagging", "webapp.script", "webapp.zips"]
)
def test_what_starts_often_or_stays_does_not_load_numpy(module):
    program = f"import sys, {module}; sys.exit('numpy' in sys.modules or 'soundfile' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0


def head(**headers: str) -> Message:
    message = Message()
    for name, value in ({"Host": "localhost:8000"} | headers).items():
        message[name.replace("_", "-")] = value
    return message


def test_a_get_needs_no_length_and_no_origin():
    assert guard.check("GET", head()) == 0
    assert guard.check("GET", head(Origin="http://example.org")) == 0


@pytest.mark.parametrize("missing", [0, 1, 4])
def test_cut_off_is_told_to_the_byte(tmp_path, missing):
    path = tmp_path / "song.wav"
    content = waves.wave()
    path.write_bytes(content[: len(content) - missing])
    assert sounds.check(path).cut_off == (missing > 0)


def test_a_streamed_file_is_read_by_others_too_once_it_is_checked(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(waves.wave(data_length=0, riff_length=36))
    assert sounds.check(path) == sounds.check(path) == sounds.Sound(seconds=1000 / 44100, cut_off=False)


@pytest.mark.parametrize("name", ["song.wav", 'a"b\\c%.wav', "歌.wav", "a\nb\rc\0.wav", "a;b=c, d.wav"])
def test_a_disposition_is_one_header_line_in_plain_letters(name):
    disposition = attachment(name)
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.count('"') == 2


@pytest.mark.parametrize(
    "job", ["", "x", "..", "0" * 31, "0" * 33, "0" * 31 + "\n", "0" * 32 + "\n", "A" * 32, "٠" * 32]
)
def test_what_is_no_job_is_never_looked_for(job):
    with pytest.raises(Refusal) as refused:
        jobs.load(job)
    assert refused.value.status == HTTPStatus.NOT_FOUND


def test_a_lock_ends_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    hold = "import sys; from webapp.locks import acquire; acquire(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        assert acquire(path, wait=False) is None
        holder.kill()
    assert not is_held(path)


def test_no_process_is_no_reason_to_kill_the_own_group(monkeypatch):
    """A worker that dies right after it has started a separation leaves a job without the number of its process."""
    killed = []
    monkeypatch.setattr(separation.os, "killpg", lambda *arguments: killed.append(arguments))
    separation.kill_group(0)
    assert killed == []
    separation.kill_group(12345)
    assert [pid for pid, _ in killed] == [12345]


def imports(path) -> set[str]:
    """All packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


OWN_PROCESS = ("mix.py", "pictures.py")  # these are loaded by one script, or run as a command


def test_dependencies_point_one_way():
    for path in [PROJECT / "server.py", *(PROJECT / "cgi-bin").glob("*.py"), *(PROJECT / "webapp").rglob("*.py")]:
        assert not imports(path) & {"torch", "torchaudio", "openunmix", "openunmix_models", "study"}, path.name
        assert "numpy" not in imports(path) or path.name in OWN_PROCESS
    for path in (PROJECT / "openunmix_models").glob("*.py"):
        assert not imports(path) & {"webapp", "server", "study"}, path.name
