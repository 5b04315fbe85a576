"""Downloaded weights cannot run code, and their hashes are pinned."""

import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch

from openunmix_models import weights
from openunmix_models.__main__ import main
from tests.support.project import PROJECT


class Trap:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap, protocol=2))])
def test_weights_with_code_are_refused_and_run_nothing(tmp_path, song, capsys, write):
    model, sprung = tmp_path / "model", tmp_path / "sprung"
    shutil.copytree(Path(weights.__file__).parent / "starter", model)
    write({"lstm.weight": Trap(sprung)}, model / "vocals.pth")
    status = main([str(song(0.2)), "--model", str(model), "--residual", "rest", "--outdir", str(tmp_path / "out")])
    assert status == 3
    assert "vocals.pth" in capsys.readouterr().err
    assert not sprung.exists()


def test_the_code_in_the_weights_would_run_without_weights_only(tmp_path):
    """Shows that the test above can fail."""
    torch.save({"lstm.weight": Trap(tmp_path / "sprung")}, tmp_path / "weights")
    torch.load(tmp_path / "weights", weights_only=False)
    assert (tmp_path / "sprung").exists()


def test_every_torch_load_uses_weights_only():
    loads = [
        (path, call)
        for folder in ("openunmix_models", "study")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for call in re.findall(r"torch\.load\(.*", path.read_text("utf-8"))
    ]
    assert loads
    assert [(path, call) for path, call in loads if "weights_only=True" not in call] == []


def test_torch_jit_is_not_used():
    """CVE-2025-3000, of which 2.11 is not free, is in torch.jit.script (see docs/deployment.md)."""
    sources = [path for folder in ("openunmix_models", "study") for path in (PROJECT / folder).rglob("*.py")]
    assert [path for path in sources if "torch.jit" in path.read_text("utf-8")] == []


def test_weights_are_fetched_over_https_with_pinned_hashes():
    for model in weights.PUBLISHED.values():
        assert model.record.startswith("https://")
        for name in model.files.values():
            assert re.search(r"-[0-9a-f]{8,}\.pth$", name)
