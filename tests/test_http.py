"""HTTP for programs: the README's lines of curl, run as they stand, do what the README says."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import soundfile

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = next(block for block in BLOCKS if "curl" in block)
SECONDS = 120

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")


@pytest.fixture(scope="module")
def said(shared_server, song, tmp_path_factory):
    """Run the lines over a song of a second: the folder, and what was said after each line that begins with curl."""
    folder = tmp_path_factory.mktemp("program")
    shutil.copy(song(1.0), folder / "song.wav")
    script = LINES.replace("localhost:8000", f"localhost:{shared_server.port}")
    command = ["sh", "-euc", script]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=True)
    return folder, [json.loads(line) for line in ran.stdout.splitlines()]


def test_no_line_meets_with_an_error(said):
    assert [answer["error"] for answer in said[1] if answer.get("error")] == []


def test_the_song_is_queued_listed_and_deleted(said, shared_server):
    queued, standing, listed, *deleted = said[1]
    assert queued["state"] == "queued"
    assert standing["state"] in ("queued", "running", "done")
    assert [song["name"] for song in listed["songs"]] == ["song.wav", "song.wav"]
    newest, first = listed["songs"]
    assert (first["job"], first["state"], newest["model"]) == (queued["job"], "done", "starter")
    assert deleted == [{"job": song["job"], "state": "deleted"} for song in (newest, first)]
    client = shared_server.client()
    assert {client.get_json(f"/cgi-bin/job.py?job={song['job']}").status for song in (newest, first)} <= {404}


def test_what_was_downloaded_is_the_song(said):
    folder, _ = said
    for name in ("vocals.wav", "mix.wav"):
        assert soundfile.info(folder / name).frames == 44100
    with zipfile.ZipFile(folder / "song.zip") as zipped:
        assert zipped.testzip() is None
        assert len(zipped.namelist()) == 2


def test_all_that_a_visitor_can_do_is_shown():
    scripts = Path(__file__).resolve().parent.parent / "cgi-bin"
    for name in ("upload", "separate", "job", "again", "songs", "zip", "mix", "delete"):
        assert f"/{name}.py" in LINES
        assert (scripts / f"{name}.py").exists()
