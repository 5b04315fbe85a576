"""Commands of the README and docs/, run as they are written. tests/unit/test_docs.py lists every one."""

import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.documents import block_with
from tests.support.project import NO_NETWORK, PROJECT
from tests.support.waiting import wait_until

SECONDS = 120


@pytest.mark.skipif(os.name == "nt", reason="the command is for Linux and macOS")
def test_the_first_command_sets_up_and_starts_the_server_even_if_the_fetch_fails(home):
    """The new environment finds the packages of this one, so pip installs nothing; --port=0 avoids a used port."""
    shutil.copy(PROJECT / "requirements.txt", home)
    command = block_with("README.md", "fetch spleeter\n  .venv").replace("server.py", "server.py --port=0")
    environment = os.environ | NO_NETWORK | {"PYTHONPATH": site.getsitepackages()[0], "PIP_NO_INDEX": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (home / "log").open("wb") as log:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        port = _port(home / "log", shell)
        reply = Client(port).get("/")
        assert reply.status == 200
        assert "Choose .wav file for upload" in reply.text
        assert (home / ".venv" / "bin" / "python").exists()
        assert "error: " in (home / "log").read_text()  # without a network the weights cannot be fetched
    finally:
        os.killpg(shell.pid, signal.SIGINT)
        shell.wait(30)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_monitoring_commands_print_health_and_metrics(shared_server):
    script = block_with("docs/deployment.md", "curl -s http://localhost:8000/health")
    script = script.replace("localhost:8000", f"localhost:{shared_server.port}")
    printed = subprocess.run(
        ["/bin/sh", "-euc", script], capture_output=True, text=True, timeout=SECONDS, check=True
    ).stdout
    assert '"version"' in printed
    assert "sound_separator_queue_length 0" in printed


def test_the_server_behind_a_proxy_asks_for_the_password_and_answers_to_the_public_name(home, start_server):
    (home.parent / "password").write_text("correct horse\n")
    program, script, *options = shlex.split(block_with("docs/deployment.md", "--behind-proxy --public-name"))
    assert (program, script) == (".venv/bin/python", "server.py")
    client = start_server(*options).client()
    authorized = {"Authorization": "Basic OmNvcnJlY3QgaG9yc2U=", "X-Forwarded-For": "192.0.2.1"}
    assert client.request("GET", "/", headers={"Host": "songs.example.org"} | authorized).status == 200
    assert client.request("GET", "/", headers={"Host": "songs.example.org"}).status == 401
    assert client.request("GET", "/", headers={"Host": "other.example.org"} | authorized).status == 403


def _port(log: Path, shell: subprocess.Popen) -> int:
    def found() -> re.Match | None:
        assert shell.poll() is None, log.read_text()
        return re.search(r"http://\S+:(\d+)/", log.read_text())

    return int(wait_until(found, SECONDS, log.read_text)[1])
