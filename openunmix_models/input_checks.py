"""The checks of the command's inputs and output paths that need no audio library, made before anything is loaded."""

import os
import stat
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from .errors import InputError
from .weights import Blend, find_model


def check_file(path: Path) -> None:
    """Raise InputError unless `path` is a file that can be opened and is not empty."""
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size:
            path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path.name} does not exist.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be opened: {getattr(error, 'strerror', error)}.") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path.name or path} is a folder, not an audio file.")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is a pipe or a device. The input is read more than once, so it must be a file.")
    if not found.st_size:
        raise InputError(f"{path.name} is empty.")


def unusable_inputs(paths: Sequence[str]) -> list[InputError]:
    """The errors of those inputs that `check_file` refuses."""
    errors = []
    for path in paths:
        try:
            check_file(Path(path))
        except InputError as error:
            errors.append(error)
    return errors


def stem_folder(path: Path, args: Namespace) -> Path:
    """Where `umx` writes the stems of an input: <outdir>/<name>, or <name>_<model> in the current folder."""
    name = path.name if path.stem in ("", ".", "..") else path.stem  # `...wav` must not lead above the outdir
    if args.outdir:
        return Path(args.outdir) / name
    model = find_model(args.model)
    return Path(f"{name}_{model.name if isinstance(model, Blend) else Path(args.model).stem}")


def check_outputs(args: Namespace, stems: Sequence[str]) -> None:
    """Raise InputError if a stem would replace an input."""
    for path in map(Path, args.input):
        for stem in (stem_folder(path, args) / f"{stem}{args.ext}" for stem in stems):
            for other in map(Path, args.input):
                if _is_same(stem, other):
                    raise InputError(f"A stem would replace the input {other.name}. Choose another --outdir.")


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them does not exist
        return os.path.realpath(path) == os.path.realpath(other)
