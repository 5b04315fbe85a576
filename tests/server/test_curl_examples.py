"""The curl commands of docs/http.md do what it says, run as they are."""

import json
import re
import shutil
import subprocess
import zipfile

import pytest
import soundfile

from tests.support.project import PROJECT

LINES = re.search(r"```sh\n(.*?)```", (PROJECT / "docs" / "http.md").read_text("utf-8"), re.DOTALL)[1]
SECONDS = 120

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")


@pytest.fixture(scope="module")
def run_commands(shared_server, song, tmp_path_factory):
    """Run the lines on a song of one second: the folder, and the JSON that each curl printed."""
    folder = tmp_path_factory.mktemp("program")
    shutil.copy(song(1.0), folder / "song.wav")
    script = LINES.replace("localhost:8000", f"localhost:{shared_server.port}")
    command = ["sh", "-euc", script]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=True)
    return folder, [json.loads(line) for line in ran.stdout.splitlines()]


def test_no_command_returns_an_error(run_commands):
    assert [answer["error"] for answer in run_commands[1] if answer.get("error")] == []


def test_the_song_is_queued_listed_and_deleted(run_commands, shared_server):
    queued, standing, listed, cancelled, *deleted = run_commands[1]
    assert queued["state"] == "queued"
    assert standing["state"] in ("queued", "running", "done")
    assert [song["name"] for song in listed["songs"]] == ["song.wav", "song.wav"]
    newest, first = listed["songs"]
    assert cancelled["job"] == newest["job"]
    assert cancelled["state"] in ("uploaded", "done")
    assert (first["job"], first["state"], newest["model"]) == (queued["job"], "done", "starter")
    assert deleted == [{"job": song["job"], "state": "deleted"} for song in (newest, first)]
    client = shared_server.client()
    assert {client.get_json(f"/cgi-bin/job.py?job={song['job']}").status for song in (newest, first)} <= {404}


def test_the_downloads_are_complete(run_commands):
    folder, _ = run_commands
    for name in ("vocals.wav", "mix.wav", "mix.flac"):
        assert soundfile.info(folder / name).frames == 44100
    with zipfile.ZipFile(folder / "song.zip") as zipped:
        assert zipped.testzip() is None
        assert len(zipped.namelist()) == 2


def test_the_examples_use_every_script():
    scripts = PROJECT / "cgi-bin"
    for name in ("upload", "separate", "job", "again", "songs", "zip", "mix", "cancel", "delete"):
        assert f"/{name}.py" in LINES
        assert (scripts / f"{name}.py").exists()
