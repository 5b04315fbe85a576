"""The application below the root of a site, behind real proxies."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG

PREFIX = "/tools/separator"
ADDRESS = re.compile(r'(?:href|src|action|data-[a-z]+)="(/[^"]*)"')
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1; events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_pass http://127.0.0.1:{server}/;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Prefix {prefix};
        }}
    }}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    handle_path {prefix}/* {{
        reverse_proxy 127.0.0.1:{server} {{
            header_up X-Forwarded-Prefix {prefix}
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, **values: object) -> Iterator[None]:
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, **values))
    with _running("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")):
        yield


@contextlib.contextmanager
def caddy(folder: Path, **values: object) -> Iterator[None]:
    (folder / "Caddyfile").write_text(CADDY.format(**values))
    with _running("caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")):
        yield


@contextlib.contextmanager
def _running(program: str, *arguments: str) -> Iterator[None]:
    path = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    if not path:
        pytest.skip(f"{program} is not installed")
    with subprocess.Popen([path, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_the_application_works_below_a_prefix(fake_engine_home, start_server, tmp_path_factory, proxy):
    server = start_server("--behind-proxy")
    port, folder = _free_port(), tmp_path_factory.mktemp("proxy")
    with proxy(folder, port=port, server=server.port, prefix=PREFIX):
        wait_until(lambda: _answers(port))
        client = Client(port)
        pages = [client.get(f"{PREFIX}/").text]
        uploaded = client.request(
            "POST", f"{PREFIX}/cgi-bin/upload.py?filename=a.wav", SONG, {"Content-Type": "audio/wav"}
        )
        assert uploaded.status == 303
        assert uploaded.headers["Location"].startswith(f"{PREFIX}/cgi-bin/uploaded.py?job=")
        job = uploaded.headers["Location"][-32:]
        pages.append(client.get(uploaded.headers["Location"]).text)
        server.client().separate(job)
        server.client().wait_for(job, "done")
        pages.append(client.get(f"{PREFIX}/cgi-bin/download.py?job={job}").text)
        stems = client.get_json(f"{PREFIX}/cgi-bin/job.py?job={job}").json()["stems"]
        addresses = {address for page in pages for address in ADDRESS.findall(page)} | {stem["url"] for stem in stems}
        assert all(address.startswith(f"{PREFIX}/") for address in addresses), addresses
        addresses.remove(f"{PREFIX}/cgi-bin/download.py")  # of a form, which adds the job
        got = {address: client.get(address.partition("#")[0].replace("&amp;", "&")).status for address in addresses}
        assert set(got.values()) <= {200, 204, 405}, got


@pytest.mark.parametrize("prefix", ["//example.org", "javascript:", '/"><script>', "/a b", "x"])
def test_a_prefix_that_is_no_path_is_ignored(fake_engine_home, start_server, prefix):
    client = start_server("--behind-proxy").client()
    assert client.get("/", X_Forwarded_Prefix=prefix).text == client.get("/").text


def test_without_a_proxy_no_prefix_is_believed(client):
    assert client.get("/", X_Forwarded_Prefix=PREFIX).text == client.get("/").text
