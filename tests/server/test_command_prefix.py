"""Separations through a command prefix (`--run-with`), with prefixes that every machine has."""

import shlex
import sys

import pytest

from tests.support import fake_engine
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG
from webapp.server import command_line

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")

# As ssh does it: the command is one argument, which a shell on the other machine takes apart.
SHELL = "sh -c 'cd / && exec sh -c \"$1\"' - {command}"


def finished(client) -> dict:
    job = client.uploaded_job(SONG)
    client.separate(job)
    return client.wait_for(job, "done", "failed")


@pytest.mark.parametrize("prefix", ["nice -n 5", SHELL])
def test_a_song_is_separated_through_the_prefix(fake_engine_home, start_server, prefix):
    server = start_server(f"--run-with={prefix}")
    state = finished(server.client())
    assert state["state"] == "done", state
    assert server.client().get(state["stems"][0]["url"]).body == SONG
    wait_until(lambda: "separations run with the command of --run-with" in server.log.read_text())


def test_the_status_of_the_engine_counts_and_not_that_of_the_prefix(fake_engine_home, start_server):
    fake_engine.configure(fake_engine_home, status=5)
    client = start_server("--run-with=sh -c '\"$@\"; exit 0' -").client()
    assert "not enough memory" in finished(client)["error"]


def test_a_prefix_that_loses_the_command_lets_the_song_run_once_more(fake_engine_home, start_server):
    """As srun when the machine dies: it exits with 0, and nothing has said that the command ended."""
    script = fake_engine_home / "lossy"
    script.write_text('#!/bin/sh\n[ -e lost ] && exec "$@"\ntouch lost\necho "launched on a machine" >&2\n')
    script.chmod(0o755)
    server = start_server(f"--run-with={shlex.quote(str(script))}")
    wait_until(lambda: (fake_engine_home / "lost").exists(), message=server.log.read_text)  # by the check at the start
    (fake_engine_home / "lost").unlink()
    assert finished(server.client())["state"] == "done"


def test_songs_wait_while_the_prefix_fails_and_the_log_says_why(fake_engine_home, start_server):
    script = fake_engine_home / "scheduler"
    script.write_text('#!/bin/sh\n[ -e up ] && exec "$@"\necho "no controller" >&2\nexit 1\n')
    script.chmod(0o755)
    server = start_server(f"--run-with={shlex.quote(str(script))}", scheduler_retry_seconds=0.5)
    client = server.client()
    job = client.uploaded_job(SONG)
    client.separate(job)
    wait_until(lambda: "cannot be reached at the moment" in client.state(job)["note"])
    page = f"/cgi-bin/job.py?job={job}"
    wait_until(lambda: "The machines that separate songs cannot be reached" in client.get(page).text)
    log = server.log.read_text()
    assert "the command of --run-with does not work; songs wait until it does:\nno controller" in log
    (fake_engine_home / "up").touch()
    assert client.wait_for(job, "done")["note"] == ""


@pytest.mark.parametrize(
    ("prefix", "reason"), [("srun 'a", "No closing quotation"), ("no-such-program", "there is no")]
)
def test_a_prefix_that_cannot_run_is_refused_at_the_start(capsys, prefix, reason):
    with pytest.raises(SystemExit):
        command_line.parse([f"--run-with={prefix}"])
    assert reason in capsys.readouterr().err
