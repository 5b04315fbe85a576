"""The deployment examples name real options and files, and the programs they are for accept them, where installed."""

import re
import subprocess
import sys

import pytest

from tests.support.programs import require_program
from tests.support.project import PROJECT

DEPLOYMENT = PROJECT / "docs" / "deployment"
GUIDE = PROJECT / "docs" / "deployment.md"
FILES = [GUIDE, *sorted(DEPLOYMENT.iterdir())]
NOT_OURS = {"--system", "--home", "--now", "--no-cache-dir", "--index-url", "--create-home", "--uid", "--start-period"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_examples_use_existing_options(path):
    usage = subprocess.run(
        [sys.executable, PROJECT / "server.py", "--help"], capture_output=True, text=True, check=True
    )
    named = set(re.findall(r"(?<!\S)`?(--[a-z][a-z-]+)", path.read_text("utf-8"))) - NOT_OURS
    assert named <= set(re.findall(r"--[a-z-]+", usage.stdout))


def test_systemd_accepts_the_unit(tmp_path):
    unit = (DEPLOYMENT / "sound-separator.service").read_text("utf-8")
    (tmp_path / "sound-separator.service").write_text(
        unit.replace("/opt/sound-separator/.venv/bin/python", "/bin/true")
    )
    command = [require_program("systemd-analyze"), "verify", tmp_path / "sound-separator.service"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in result.stderr.splitlines() if "sound-separator.service" in line] == []


def test_nginx_accepts_the_site(tmp_path):
    nginx, openssl = require_program("nginx"), require_program("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key]
    subprocess.run([*request, "-out", certificate], capture_output=True, timeout=60, check=True)
    site = (DEPLOYMENT / "nginx.conf").read_text("utf-8")
    site = re.sub(r"/etc/letsencrypt/\S+/fullchain\.pem", str(certificate), site)
    site = re.sub(r"/etc/letsencrypt/\S+/privkey\.pem", str(key), site)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ access_log off; {site} }}")
    result = subprocess.run([nginx, "-t", "-c", whole], capture_output=True, text=True, timeout=60, check=False)
    assert "syntax is ok" in result.stderr, result.stderr


def test_caddy_accepts_the_site(tmp_path):
    command = [require_program("caddy"), "validate", "--adapter", "caddyfile", "--config", DEPLOYMENT / "Caddyfile"]
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "Valid configuration" in result.stdout + result.stderr, result.stderr


def test_dockerignore_keeps_everything_the_server_needs():
    ignored = set((PROJECT / ".dockerignore").read_text("utf-8").split())
    needed = {
        "server.py",
        "cgi-bin",
        "static",
        "webapp",
        "openunmix_models",
        "audiofiles",
        "requirements.txt",
        "pyproject.toml",
    }
    assert not ignored & needed
    assert {".git", ".venv", "uploads/*", "downloads/*"} <= ignored
