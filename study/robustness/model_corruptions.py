"""Ways to corrupt a model folder. Each takes the folder, a random generator and the path of a marker, and returns a
description.

Code that is hidden in a file creates the marker if it is run.
"""

import hashlib
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from study.robustness.corruption import corrupt

WEIGHTS, SETTINGS = "vocals.pth", "separator.json"

Corruption = Callable[[Path, random.Random, Path], str]


def _truncate(name: str) -> Corruption:
    def truncate(model: Path, rng: random.Random, marker: Path) -> str:
        content = (model / name).read_bytes()
        length = rng.choice((0, rng.randrange(len(content)), len(content) - rng.randrange(1, 30)))
        (model / name).write_bytes(content[:length])
        return f"{length} bytes left of {name}"

    return truncate


def _change_bytes(name: str) -> Corruption:
    def change_bytes(model: Path, rng: random.Random, marker: Path) -> str:
        (model / name).write_bytes(corrupt(rng, (model / name).read_bytes()))
        return f"changed bytes in {name}"

    return change_bytes


def _flip_bit(model: Path, rng: random.Random, marker: Path) -> str:
    content = bytearray((model / WEIGHTS).read_bytes())
    position, bit = rng.randrange(len(content)), rng.randrange(8)
    content[position] ^= 1 << bit
    (model / WEIGHTS).write_bytes(content)
    return f"bit {bit} of byte {position} flipped"


def _flip_bit_of_hashed_weights(model: Path, rng: random.Random, marker: Path) -> str:
    """Use torch's old file format, which has no checksums, and a file name with a hash, as torch hub has."""
    old_format = model / "old_format.pth"
    torch.save(torch.load(model / WEIGHTS, weights_only=True), old_format, _use_new_zipfile_serialization=False)
    content = bytearray(old_format.read_bytes())
    old_format.unlink()
    (model / WEIGHTS).unlink()
    digits = hashlib.sha256(content).hexdigest()[:8]
    position = rng.randrange(len(content))
    content[position] ^= 1 << rng.randrange(8)
    (model / f"vocals-{digits}.pth").write_bytes(content)
    return f"byte {position} of hashed weights"


def _replace(model: Path, rng: random.Random, marker: Path) -> str:
    """Replace a file by nothing, a folder, or another kind of file."""
    name = rng.choice((WEIGHTS, SETTINGS, "vocals.json"))
    (model / name).unlink()
    kind = rng.choice(("nothing", "folder", "text", "zeros", "link to itself", "list", "number", "other tensors"))
    if kind == "folder":
        (model / name).mkdir()
    elif kind == "link to itself":
        (model / name).symlink_to(name)
    elif kind == "other tensors":
        objects: tuple[object, ...] = ({}, [1, 2], {"fc1.weight": torch.zeros(1)}, torch.zeros(3))
        torch.save(rng.choice(objects), model / name)
    elif kind != "nothing":
        content = {"text": b"not a model\n", "zeros": bytes(3000), "list": b"[1, 2]", "number": b"1"}[kind]
        (model / name).write_bytes(content)
    return f"{kind} in the place of {name}"


class _Code:
    """An object that creates the marker when it is unpickled without restrictions."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


def _insert_code(model: Path, rng: random.Random, marker: Path) -> str:
    """Use a plain pickle, one in torch's old format, or one in the zip archive that torch writes today."""
    path, kind = model / WEIGHTS, rng.randrange(4)
    if kind == 0:
        path.write_bytes(pickle.dumps(_Code(marker), protocol=rng.choice((0, 2, 4))))
    elif kind < 3:
        torch.save({"fc1.weight": _Code(marker)}, path, _use_new_zipfile_serialization=kind == 1)
    else:
        state = torch.load(path, weights_only=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("vocals/data.pkl", pickle.dumps([_Code(marker), sorted(state)], protocol=2))
            archive.writestr("vocals/constants.pkl", pickle.dumps(_Code(marker), protocol=2))
            archive.writestr("vocals/version", "3\n")
    return f"code of kind {kind}"


def _change_settings(model: Path, rng: random.Random, marker: Path) -> str:
    """Set one or two settings to values that no network has."""
    settings = json.loads((model / SETTINGS).read_text())
    numbers: tuple[object, ...] = (0, -1, 1, 3, 4095, 1e300, -0.5, 2**31, 2**64, float("inf"), float("nan"))
    values = (*numbers, None, "4096", "x", [], {}, True)
    for name in rng.sample(sorted(settings), rng.choice((1, 1, 2))):
        settings[name] = rng.choice(values)
    (model / SETTINGS).write_text(json.dumps(settings))
    return str(settings)


CORRUPTIONS: dict[str, Corruption] = {
    "truncated weights": _truncate(WEIGHTS),
    "one bit of the weights flipped": _flip_bit,
    "one bit flipped in weights with a hash": _flip_bit_of_hashed_weights,
    "corrupted weights": _change_bytes(WEIGHTS),
    "code in the weights": _insert_code,
    "something else in the place of a file": _replace,
    "truncated settings": _truncate(SETTINGS),
    "corrupted settings": _change_bytes(SETTINGS),
    "other numbers in the settings": _change_settings,
}
# After these, a model may separate differently from the intact one.
CORRUPTIONS_OF_SETTINGS = {
    "something else in the place of a file",
    "truncated settings",
    "corrupted settings",
    "other numbers in the settings",
}
