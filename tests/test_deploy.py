"""What stands in .deploy/ names what there is, and is read by the tools that it is for, where they are installed."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

DEPLOY = PROJECT / ".deploy"
FILES = sorted(path for path in DEPLOY.iterdir())
NOT_OURS = {"--system", "--home", "--now", "--no-cache-dir", "--index-url", "--create-home", "--uid", "--start-period"}


def tool(name: str) -> str:
    return shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin") or pytest.skip(f"no {name} here")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_options_that_it_names_are_the_servers(path):
    usage = subprocess.run(
        [sys.executable, PROJECT / "server.py", "--help"], capture_output=True, text=True, check=True
    )
    named = set(re.findall(r"(?<!\S)`?(--[a-z][a-z-]+)", path.read_text("utf-8"))) - NOT_OURS
    assert named <= set(re.findall(r"--[a-z-]+", usage.stdout))


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)#]+)", (DEPLOY / "README.md").read_text("utf-8"))
    assert links
    for link in links:
        assert (DEPLOY / link).exists(), link


def test_systemd_understands_the_unit(tmp_path):
    unit = (DEPLOY / "sound-separator.service").read_text("utf-8")
    (tmp_path / "sound-separator.service").write_text(
        unit.replace("/opt/sound-separator/.venv/bin/python", "/bin/true")
    )
    command = [tool("systemd-analyze"), "verify", tmp_path / "sound-separator.service"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in told.stderr.splitlines() if "sound-separator.service" in line] == []


def test_nginx_understands_the_site(tmp_path):
    nginx, openssl = tool("nginx"), tool("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key]
    subprocess.run([*request, "-out", certificate], capture_output=True, timeout=60, check=True)
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    site = re.sub(r"/etc/letsencrypt/\S+/fullchain\.pem", str(certificate), site)
    site = re.sub(r"/etc/letsencrypt/\S+/privkey\.pem", str(key), site)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ access_log off; {site} }}")
    told = subprocess.run([nginx, "-t", "-c", whole], capture_output=True, text=True, timeout=60, check=False)
    assert "syntax is ok" in told.stderr, told.stderr


def test_the_image_has_all_that_runs():
    ignored = set((PROJECT / ".dockerignore").read_text("utf-8").split())
    assert not ignored & {"server.py", "cgi-bin", "static", "webapp", "openunmix_models", "requirements.txt"}
    assert {".git", ".venv", "uploads/*", "downloads/*"} <= ignored
