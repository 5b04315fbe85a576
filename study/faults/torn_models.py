"""Files of a model that are torn, spoiled, missing, or something else: what the command says, and does not do.

`python -m study.faults.torn_models <files> <seed>` in a copy of the project; prints the rows as JSON. The command
says one sentence and ends with the status of a damaged model or of a wrong argument, see openunmix_models/errors.py.
Or it separates: then the stems add up, and those of damaged weights are the same as ever.
"""

import contextlib
import hashlib
import io
import json
import os
import pickle
import random
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from openunmix_models.__main__ import main as separate
from study.faults.fuzz import spoiled
from study.faults.song_trial import random_model

REFUSES = (2, 3)  # the exit statuses of InputError and WeightsError
WEIGHTS, SETTINGS = "vocals.pth", "separator.json"


def main() -> None:
    nb_files, seed = map(int, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        trial = _Trial(Path(folder))
        rows = [trial.row(what, nb_files // len(DEEDS), random.Random(f"{seed} {what}")) for what in DEEDS]
    print(json.dumps(rows))


class _Trial:
    """A whole model, one that is damaged again and again, and a song."""

    def __init__(self, folder: Path):
        self.model, self.damaged, self.song = random_model(folder / "whole"), folder / "damaged", folder / "song.wav"
        self.mark, self.out = folder / "mark", folder / "out"
        soundfile.write(self.song, np.random.default_rng(0).normal(0, 0.1, (3000, 2)), 44100)
        self.stems = self._separate(self.model)[2]

    def row(self, what: str, nb_files: int, rng: random.Random) -> dict:
        found = []
        for _ in range(nb_files):
            shutil.rmtree(self.damaged, ignore_errors=True)
            shutil.copytree(self.model, self.damaged)
            told = DEEDS[what](self.damaged, rng, self.mark) or ""
            found += [f"{told} {wrong}" for wrong in self._wrongs(is_weights=what not in OF_SETTINGS)]
        return {"what": what, "trials": nb_files, "found": found[:20]}

    def _wrongs(self, is_weights: bool) -> list[str]:
        try:
            status, said, stems = self._separate(self.damaged)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        wrong = ["code in the file was run"] if self.mark.exists() else []
        if status in REFUSES:
            is_sentence = said.count("\n") == 1 and said.startswith("error: ") and said.endswith(".\n")
            return wrong if is_sentence and str(self.damaged) not in said else [*wrong, f"says {said!r}"]
        if status or "\n" in said.strip() or "Traceback" in said:
            return [*wrong, f"ends with {status}: {said!r}"]
        if is_weights and any(one.tobytes() != other.tobytes() for one, other in zip(stems, self.stems, strict=True)):
            return [*wrong, "separates otherwise, and says nothing"]
        return (
            wrong if (sum(stems) == soundfile.read(self.song, dtype="int16")[0]).all() else [*wrong, "does not add up"]
        )

    def _separate(self, model: Path) -> tuple[int, str, list[np.ndarray]]:
        """The command in process: its exit status, what it says without its progress, and the stems."""
        shutil.rmtree(self.out, ignore_errors=True)
        arguments = [self.song, "--model", model, "--residual", "rest", "--targets", "vocals", "--outdir", self.out]
        with contextlib.redirect_stderr(io.StringIO()) as said:
            status = separate(list(map(str, arguments)))
        stems = [soundfile.read(path, dtype="int16")[0] for path in sorted(self.out.rglob("*.wav"))]
        lines = [line for line in said.getvalue().splitlines(True) if "%|" not in line and line.strip()]
        return status, "".join(lines), stems


# What is done to a model in a folder; `mark` is what code in a file would make.


def _cut(name: str) -> Callable:
    def cut(model: Path, rng: random.Random, mark: Path) -> None:
        raw = (model / name).read_bytes()
        (model / name).write_bytes(raw[: rng.choice((0, rng.randrange(len(raw)), len(raw) - rng.randrange(1, 30)))])

    return cut


def _flip(name: str) -> Callable:
    def flip(model: Path, rng: random.Random, mark: Path) -> str:
        raw = bytearray((model / name).read_bytes())
        at, bit = rng.randrange(len(raw)), rng.randrange(8)
        raw[at] ^= 1 << bit
        (model / name).write_bytes(raw)
        return f"bit {bit} of byte {at}:"

    return flip


def _spoil(name: str) -> Callable:
    def spoil(model: Path, rng: random.Random, mark: Path) -> None:
        (model / name).write_bytes(spoiled(rng, (model / name).read_bytes()))

    return spoil


def _flip_hashed(model: Path, rng: random.Random, mark: Path) -> None:
    """An older file, without checksums, that is named as torch hub does."""
    older = model / "older.pth"
    torch.save(torch.load(model / WEIGHTS, weights_only=True), older, _use_new_zipfile_serialization=False)
    raw = bytearray(older.read_bytes())
    older.unlink()
    (model / WEIGHTS).unlink()
    digits = hashlib.sha256(raw).hexdigest()[:8]
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    (model / f"vocals-{digits}.pth").write_bytes(raw)


def _replace(model: Path, rng: random.Random, mark: Path) -> str:
    """Nothing, a folder, or another kind of file in a file's place."""
    name = rng.choice((WEIGHTS, SETTINGS, "vocals.json"))
    (model / name).unlink()
    kind = rng.choice(("nothing", "folder", "text", "zeros", "link to itself", "list", "number", "other tensors"))
    if kind == "folder":
        (model / name).mkdir()
    elif kind == "link to itself":
        (model / name).symlink_to(name)
    elif kind == "other tensors":
        torch.save(rng.choice(({}, [1, 2], {"fc1.weight": torch.zeros(1)}, torch.zeros(3))), model / name)
    elif kind != "nothing":
        content = {"text": b"this is none\n", "zeros": bytes(3000), "list": b"[1, 2]", "number": b"1"}[kind]
        (model / name).write_bytes(content)
    return f"{kind} in the place of {name}:"


class _Code:
    """What runs a command when it is unpickled by who trusts it."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def _put_code_in(model: Path, rng: random.Random, mark: Path) -> None:
    """A pickle alone, one as torch wrote them of old, and one in a zip as torch writes them now."""
    path, kind = model / WEIGHTS, rng.randrange(4)
    if kind == 0:
        path.write_bytes(pickle.dumps(_Code(mark), protocol=rng.choice((0, 2, 4))))
    elif kind < 3:
        torch.save({"fc1.weight": _Code(mark)}, path, _use_new_zipfile_serialization=kind == 1)
    else:
        state = torch.load(path, weights_only=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("vocals/data.pkl", pickle.dumps([_Code(mark), sorted(state)], protocol=2))
            archive.writestr("vocals/constants.pkl", pickle.dumps(_Code(mark), protocol=2))
            archive.writestr("vocals/version", "3\n")


def _other_numbers(model: Path, rng: random.Random, mark: Path) -> str:
    """Settings that no network has."""
    settings = json.loads((model / SETTINGS).read_text())
    values = (0, -1, 1, 3, 4095, 1e300, -0.5, 2**31, 2**64, None, "4096", "x", [], {}, True, float("inf"), float("nan"))
    for name in rng.sample(sorted(settings), rng.choice((1, 1, 2))):
        settings[name] = rng.choice(values)
    (model / SETTINGS).write_text(json.dumps(settings))
    return f"{settings}:"


DEEDS: dict[str, Callable] = {
    "weights cut off": _cut(WEIGHTS),
    "a bit of the weights flipped": _flip(WEIGHTS),
    "a bit flipped of weights with a hash": _flip_hashed,
    "weights spoiled": _spoil(WEIGHTS),
    "code in the weights": _put_code_in,
    "something in a file's place": _replace,
    "settings cut off": _cut(SETTINGS),
    "settings spoiled": _spoil(SETTINGS),
    "other numbers in the settings": _other_numbers,
}
OF_SETTINGS = ("something in a file's place", *[what for what in DEEDS if "settings" in what])


if __name__ == "__main__":
    main()
