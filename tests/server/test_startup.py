"""Starting the server: unwritable folders, invalid options, the printed address."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import fake_engine
from tests.support.project import copy_project
from tests.support.server import RunningServer
from tests.support.wave_files import SONG

IS_ROOT = hasattr(os, "geteuid") and not os.geteuid()
# Without these capabilities, file permissions apply to root too (Linux, capabilities(7)).
AS_OTHERS = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"] if IS_ROOT else []


def a_file(home: Path) -> str:
    (home / "uploads").write_text("")
    return "uploads"


def a_link_to_nothing(home: Path) -> str:
    (home / "downloads").symlink_to(home / "nowhere")
    return "downloads"


def nowhere_to_make_it(home: Path) -> str:
    home.chmod(0o555)
    return "uploads"


def read_only(home: Path) -> str:
    (home / "downloads").mkdir(mode=0o555)
    return "downloads"


def another_users_lock(home: Path) -> str:
    (home / "uploads").mkdir()
    lock = home / "uploads" / ".changes"
    lock.touch(0o400)
    if IS_ROOT:
        os.chown(lock, 65534, 65534)
    return ".changes"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.skipif(IS_ROOT and not shutil.which("setpriv"), reason="root may write anywhere")
@pytest.mark.parametrize("spoil", [a_file, a_link_to_nothing, nowhere_to_make_it, read_only, another_users_lock])
def test_unwritable_folders_stop_the_start_with_one_sentence(home, spoil):
    named = spoil(home)
    command = [*AS_OTHERS, sys.executable, str(home / "server.py"), "--port=0"]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    home.chmod(0o755)
    assert completed.returncode == 1
    assert completed.stdout == ""
    (sentence,) = completed.stderr.splitlines()
    assert sentence.startswith("Cannot write to ")
    assert f"{named}: " in sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_the_printed_address_works(home, host):
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    command = [sys.executable, str(home / "server.py"), "--port=0", f"--host={host}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline())[0]
            connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
            connection.request("GET", "/")
            assert b"Send file" in connection.getresponse().read()
        finally:
            process.send_signal(signal.SIGINT)


def has_ipv6() -> bool:
    """Whether this machine can use IPv6: containers often cannot, though Python supports it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--port={used}", "Is it running already?"),
        ("--host=192.0.2.1", "This machine does not have this address."),
        ("--port=99999", "argument --port"),
        ("--port=x", "argument --port"),
        ("--workers=0", "argument --workers: it must be more than 0"),
        ("--keep-hours=-1", "argument --keep-hours: it must be more than 0"),
        ("--keep-hours=nan", "argument --keep-hours: it must be more than 0"),
        ("--host=no.such.host.invalid", "Cannot listen on no.such.host.invalid"),
    ],
)
def test_invalid_options_stop_the_start_with_one_sentence(shared_server, options, words):
    command = [sys.executable, str(shared_server.home / "server.py"), options.format(used=shared_server.port)]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert completed.returncode != 0
    assert words in completed.stderr
    assert "Traceback" not in completed.stderr


def test_the_server_works_in_a_folder_of_any_name(tmp_path):
    home = tmp_path / 'Ñandú\'s "work" & 歌'
    home.mkdir()
    copy_project(home)
    fake_engine.install(home)
    running = RunningServer(home).start()
    try:
        client = running.client()
        job = client.uploaded_job(SONG)
        client.separate(job)
        assert client.wait_for(job, "done", "failed")["state"] == "done"
    finally:
        running.kill()


def test_the_server_works_under_pythonsafepath(fake_engine_home, monkeypatch):
    """Python then does not look for modules in the folder of a program, nor in the current one."""
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    running = RunningServer(fake_engine_home).start()
    try:
        running.client().finished_job(SONG)
    finally:
        running.end()
