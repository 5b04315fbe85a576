"""Published weights are fetched completely or not at all; a server on this machine stands in for the published one."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from openunmix_models import download, weights
from openunmix_models.__main__ import main
from openunmix_models.errors import InputError, WeightsError
from tests.support import wave_files
from tests.support.waiting import wait_until

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
DIGITS = hashlib.sha256(WEIGHTS).hexdigest()[:8]


class Server(ThreadingHTTPServer):
    """Serves WEIGHTS under every path; `cut` is the number of bytes after which it disconnects."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.ranges, self.status, self.asked = WEIGHTS, None, True, None, []
        self.answers = threading.Event()  # until it is set, requests wait
        self.answers.set()
        self.url = f"http://127.0.0.1:{self.server_port}/records/1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        server.answers.wait(60)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        body = server.content[start:]
        if server.status or not body:
            return self.send_error(server.status or 416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut])
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(server, tmp_path, monkeypatch):
    """The folder of the model `tiny`, which the loopback server publishes."""
    files = {target: f"{target}-{DIGITS}.pth" for target in ("vocals", "drums")}
    tiny = weights.Published("A test's", "Free for all", server.url, 16, len(WEIGHTS), files)
    monkeypatch.setitem(weights.PUBLISHED, "tiny", tiny)
    monkeypatch.setattr(weights, "MODELS", tmp_path / "models")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "tiny"


def test_only_the_requested_targets_are_fetched(folder, server, capsys):
    weights.ensure_weights(folder, ["vocals"])
    assert weights.weights_file(folder, "vocals").read_bytes() == WEIGHTS
    assert weights.weights_file(folder, "vocals").name == f"vocals-{DIGITS}.pth"
    assert json.loads((folder / "vocals.json").read_text())["args"]["hidden_size"] == 16
    assert json.loads((folder / "separator.json").read_text())["nfft"] == 4096
    assert not list(folder.glob("*drums*"))
    assert not list(folder.glob("*.part"))
    stderr = capsys.readouterr().err
    assert "Free for all" in stderr
    assert "fetching tiny:" in stderr
    assert "100%" in stderr


def test_each_file_is_fetched_once(folder, server):
    weights.ensure_weights(folder, ["vocals"])
    weights.ensure_weights(folder, ["vocals"])
    weights.ensure_weights(folder, ["vocals", "drums"])
    assert len(server.asked) == 2


def test_a_broken_download_is_resumed(folder, server):
    server.cut = 300_000
    weights.ensure_weights(folder, ["vocals"])
    assert server.asked == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    assert weights.weights_file(folder, "vocals").read_bytes() == WEIGHTS


def test_a_partial_file_is_resumed(folder, server):
    folder.mkdir()
    (folder / f"vocals-{DIGITS}.pth.part").write_bytes(WEIGHTS[:1000])
    weights.ensure_weights(folder, ["vocals"])
    assert server.asked == ["bytes=1000-"]
    assert weights.weights_file(folder, "vocals").read_bytes() == WEIGHTS


def test_a_server_without_ranges_sends_the_whole_file(folder, server):
    folder.mkdir()
    (folder / f"vocals-{DIGITS}.pth.part").write_bytes(WEIGHTS[:1000])
    server.ranges = False
    weights.ensure_weights(folder, ["vocals"])
    assert weights.weights_file(folder, "vocals").read_bytes() == WEIGHTS


def test_a_server_that_always_disconnects_is_an_error(folder, server):
    server.cut = 0
    with pytest.raises(WeightsError, match="broke"):
        weights.ensure_weights(folder, ["vocals"])
    assert not list(folder.glob("*.pth"))


@pytest.mark.parametrize("begun", [b"", b"something else"], ids=["anew", "resumed"])
def test_wrong_bytes_are_not_kept(folder, server, begun):
    folder.mkdir()
    if begun:
        (folder / f"vocals-{DIGITS}.pth.part").write_bytes(begun)
    else:
        server.content = WEIGHTS[:-1] + b"!"
    with pytest.raises(WeightsError, match=rf"vocals-{DIGITS}\.pth came damaged"):
        weights.ensure_weights(folder, ["vocals"])
    assert not list(folder.glob("vocals*.p*"))


def test_the_complete_hash_is_checked_where_it_is_known(folder, server, monkeypatch):
    """Other files may have the same first digits."""
    known = replace(weights.PUBLISHED["tiny"], sha256={"vocals": DIGITS.ljust(64, "0")})
    monkeypatch.setitem(weights.PUBLISHED, "tiny", known)
    with pytest.raises(WeightsError, match=r"\.pth came damaged"):
        weights.ensure_weights(folder, ["vocals"])
    assert not list(folder.glob("vocals*.p*"))
    weights.ensure_weights(folder, ["drums"])


def test_a_part_longer_than_the_file_is_not_kept(folder, server):
    folder.mkdir()
    (folder / f"vocals-{DIGITS}.pth.part").write_bytes(WEIGHTS + b"!")
    with pytest.raises(WeightsError):
        weights.ensure_weights(folder, ["vocals"])
    weights.ensure_weights(folder, ["vocals"])


def test_the_proxy_is_used(folder, server, monkeypatch):
    published = replace(weights.PUBLISHED["tiny"], record="http://models.invalid/records/1")
    monkeypatch.setitem(weights.PUBLISHED, "tiny", published)
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{server.server_port}")
    weights.ensure_weights(folder, ["vocals"])
    assert server.asked == [None]


def test_an_http_error_is_reported(folder, server):
    server.status = 503
    with pytest.raises(WeightsError, match="answered 503"):
        weights.ensure_weights(folder, ["vocals"])


def in_a_process(folder, *lines, log: Path | None = None):
    """Start a Python process that knows the model `tiny` and runs `lines`."""
    known = [
        "import sys, pathlib, openunmix_models.weights as w",
        f"w.MODELS = pathlib.Path({str(folder.parent)!r})",
        f"w.PUBLISHED['tiny'] = w.{weights.PUBLISHED['tiny']!r}",
    ]
    command = [sys.executable, "-c", "\n".join([*known, *lines])]
    return subprocess.Popen(command, stderr=log.open("w") if log else subprocess.PIPE, text=True)


def test_two_processes_fetch_once(folder, server, tmp_path):
    server.answers.clear()
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    both = [in_a_process(folder, "w.ensure_weights(w.MODELS / 'tiny', ['vocals'])", log=log) for log in logs]
    wait_until(lambda: any("waiting" in log.read_text() for log in logs))
    server.answers.set()
    assert [process.wait(60) for process in both] == [0, 0], [log.read_text() for log in logs]
    assert len(server.asked) == 1
    assert weights.weights_file(folder, "vocals").read_bytes() == WEIGHTS


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files to stand for a full disk")
def test_a_full_disk_is_reported_and_leaves_no_file(folder, server):
    process = in_a_process(
        folder,
        "import resource, signal; from openunmix_models.__main__ import main",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))",
        "sys.exit(main(['fetch', 'tiny']))",
    )
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 4
    assert stderr.splitlines()[-1].startswith("error: vocals")
    assert not list(folder.glob("*.pth*"))


def test_offline_sends_no_request(folder, server, capsys):
    assert main([__file__, "--model", "tiny", "--targets", "vocals", "--residual", "r", "--offline"]) == 3
    assert "error: tiny is not on this disk (vocals)" in capsys.readouterr().err
    assert not server.asked


def test_offline_uses_files_that_are_there(folder, server):
    weights.ensure_weights(folder, ["vocals"])
    weights.ensure_weights(folder, ["vocals"], offline=True)


def never_connects(*_: object, **__: object) -> None:
    threading.Event().wait(60)
    raise TimeoutError


def test_a_host_that_never_resolves_times_out(folder, monkeypatch):
    assert download.CONNECT_SECONDS < 5
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(socket, "create_connection", never_connects)
    with pytest.raises(WeightsError, match="no connection to"):
        weights.ensure_weights(folder, ["vocals"])
    assert not folder.exists()


@pytest.mark.parametrize("argv", [["fetch", "umx"], [__file__]])
def test_no_network_is_reported_in_one_sentence(folder, argv, monkeypatch, capsys):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert main(argv) == 3
    assert capsys.readouterr().err == "error: There is no connection to zenodo.org, where the weights are published.\n"


def test_the_command_fetches_and_lists(folder, server, capsys):
    def tiny():
        assert main(["list", "--json", "--targets", "vocals"]) == 0
        return next(model for model in json.loads(capsys.readouterr().out) if model["name"] == "tiny")

    assert (tiny()["on_disk"], tiny()["bytes_to_fetch"]) == (False, len(WEIGHTS))
    assert main(["fetch", "tiny", "--targets", "vocals"]) == 0
    capsys.readouterr()
    assert (tiny()["on_disk"], tiny()["bytes_to_fetch"]) == (True, 0)
    assert tiny()["targets"] == ["vocals", "drums"]
    assert tiny()["licence"] == "Free for all"


def test_listing_and_a_missing_model_do_not_import_torch():
    script = (
        "import sys; from openunmix_models.__main__ import main; main(['list', '--json']);"
        "main(['song.wav', '--model', 'nobody']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0
    assert "error: There is no model called nobody." in done.stderr
    assert {"umx", "umxhq", "umxl", "starter"} <= {model["name"] for model in json.loads(done.stdout)}


def test_published_files_carry_their_hash_and_umxl_its_licence():
    for model in weights.PUBLISHED.values():
        assert set(model.files) == {"vocals", "drums", "bass", "other"}
        for target, name in model.files.items():
            assert name.startswith(f"{target}-")
            digits = name.removesuffix(".pth").rpartition("-")[2]
            assert len(bytes.fromhex(digits)) == 4
            whole = model.sha256.get(target, digits.ljust(64, "0"))
            assert whole.startswith(digits)
            assert len(bytes.fromhex(whole)) == 32
    assert "not for commercial use" in weights.PUBLISHED["umxl"].licence


def test_the_starter_is_filtered_unless_there_is_only_one_source():
    starter = weights.find_model("starter")
    assert weights.default_niter(starter, ["vocals"], has_residual=True) == 1
    assert weights.default_niter(starter, ["vocals"], has_residual=False) == 0
    assert weights.default_niter(starter, ["vocals", "drums"], has_residual=False) == 1


@pytest.mark.parametrize("model", ["../starter", "starter/", "no/where", "..", "", "starter\0"])
def test_a_model_is_a_name_or_a_folder(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError):
        weights.model_folder(model)


def test_a_folder_in_open_unmix_s_format_is_a_model(tmp_path):
    for name in ("separator.json", "vocals.json", "vocals-0123abcd.pth"):
        (tmp_path / name).write_text("{}")
    folder = weights.model_folder(str(tmp_path))
    assert weights.model_targets(folder) == ["vocals"]
    weights.ensure_weights(folder, ["vocals"])
    with pytest.raises(InputError, match=r"drums\.json"):
        weights.ensure_weights(folder, ["drums"])


@pytest.mark.parametrize("name", ["separator.json", "vocals.pth"])
def test_a_missing_file_is_named(tmp_path, name):
    for other in {"separator.json", "vocals.json", "vocals.pth"} - {name}:
        (tmp_path / other).write_text("{}")
    with pytest.raises(WeightsError, match=f"{tmp_path.name}/{name} is missing"):
        weights.ensure_weights(weights.model_folder(str(tmp_path)), ["vocals"])


@pytest.mark.parametrize("name", ["separator.json", "vocals.pth"])
def test_a_damaged_file_is_named(tmp_path, name, capsys):
    starter = Path(weights.__file__).parent / "starter"
    for other in ("separator.json", "vocals.json", "vocals.pth"):
        (tmp_path / other).write_bytes((starter / other).read_bytes())
    (tmp_path / name).write_bytes((starter / name).read_bytes()[:-20])
    (tmp_path / "song.wav").write_bytes(wave_files.wav())
    argv = [
        str(tmp_path / "song.wav"),
        "--model",
        str(tmp_path),
        "--residual",
        "rest",
        "--outdir",
        str(tmp_path / "out"),
    ]
    assert main(argv) == 3
    assert name in capsys.readouterr().err
