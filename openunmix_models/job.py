"""Run a separation whose arguments and weights have been checked: load the model, then separate each input."""

import ctypes
import gc
import sys
import traceback
from argparse import Namespace
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, SeparatorError, WeightsError, as_separator_error, report_error
from .input_checks import check_file, stem_folder
from .weights import Blend, find_model

if TYPE_CHECKING:  # importing it imports torch
    from .masks import Model

Stamps = tuple[tuple[str, int], ...]  # path and mtime of each file, in nanoseconds

M_ARENA_MAX = -8  # glibc, malloc.h


def run(args: Namespace) -> int:
    """Separate all of `args.input`, continuing after a failure; return the highest exit status.

    Inputs that cannot be read are reported first, before torch is imported.
    """
    try:
        readable = [path for path in map(Path, args.input) if _is_readable(path, args)]
        failed = InputError.exit_status if len(readable) < len(args.input) else 0
        if not readable:
            return failed
        _limit_malloc_arenas()
        _import_torch()
        device = _device(args)
        if args.verbose:
            print(f"using {device}", file=sys.stderr)
        model = _load_or_reuse(args, device)
        return max(failed, *[_separate(path, model, args) for path in readable])
    except SeparatorError as error:
        return report_error(error)
    except Exception as error:
        if known := as_separator_error(error):
            return report_error(known)
        with suppress(OSError):
            traceback.print_exc()
        return 1


def _is_readable(path: Path, args: Namespace) -> bool:
    """Whether an input can be read, and its stems be written as asked for; otherwise reports why not."""
    from .probe import is_sound_file
    from .soundfiles import Mixture, encoding_for

    try:
        check_file(path)
        if is_sound_file(path):  # what has to be decoded is read later
            encoding_for(Mixture(path, args.start, args.duration), args.ext)
    except InputError as error:
        report_error(error)
        return False
    return True


def _limit_malloc_arenas() -> None:
    """Use one malloc arena: glibc gives each thread its own, and memory freed there (up to 90 MB) is not shared."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _import_torch() -> None:
    """Import torch, and exclude its half a million permanent objects from garbage collection."""
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()


def preload(args: Namespace) -> None:
    """Load the model of `args` into the cache for the next job. Raises SeparatorError."""
    _limit_malloc_arenas()
    _import_torch()
    _load_or_reuse(args, _device(args))


def _load_or_reuse(args: Namespace, device: str) -> "Model":
    model = find_model(args.model)
    return _load(model, tuple(args.targets), device, _modification_times(model))


@lru_cache(maxsize=1)
def _load(model: Path | Blend, targets: tuple[str, ...], device: str, stamps: Stamps) -> "Model":
    """Load a model; the cache keeps it for the next job until a file changes, and with it `stamps`."""
    from .loading import load_model

    return load_model(model, targets, device)


def _modification_times(model: Path | Blend) -> Stamps:
    folders = [folder for folder, _ in model.parts] if isinstance(model, Blend) else [model]
    try:
        return tuple(sorted((str(path), path.stat().st_mtime_ns) for folder in folders for path in folder.iterdir()))
    except OSError as error:
        raise WeightsError(f"The folder of {model.name} cannot be read: {error.strerror}.") from None


def _separate(path: Path, model: "Model", args: Namespace) -> int:
    from tqdm import tqdm

    from .inputs import as_sound_file
    from .separation import Options, separate

    names = ("targets", "residual", "niter", "wiener_win_len", "ext", "start", "duration", "aggregate", "remainder")
    options = Options(**{name: getattr(args, name) for name in names})
    bar_format = "{l_bar}{bar}| [{elapsed}<{remaining}]"
    with tqdm(desc=f"{path.name}: separating", total=100, bar_format=bar_format, mininterval=0.2, miniters=0) as bar:

        def show(part: float) -> None:
            if part > model.progress_before_estimates and "writing" not in bar.desc:
                bar.set_description(f"{path.name}: writing", refresh=False)
            bar.update(100 * part - bar.n)

        outdir = stem_folder(path, args)
        until = None if args.duration is None or args.duration < 0 else args.start + args.duration
        try:
            with as_sound_file(path, outdir, until) as sound_file:
                separate(sound_file, outdir, model, options, show)
        except SeparatorError as error:
            with suppress(OSError):  # the disk of stderr may be full
                bar.close()
            return report_error(error)
    return 0


def stems_exist(path: str, args: Namespace) -> bool:
    """Whether all stems of an input are in its folder; they get their names only once they are complete."""
    stems = args.aggregate or [*args.targets, *([args.residual] if args.residual else [])]
    return all((stem_folder(Path(path), args) / f"{stem}{args.ext}").is_file() for stem in stems)


def _device(args: Namespace) -> str:
    import torch

    if args.no_cuda or args.device == "cpu":
        return "cpu"
    if args.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA device; omit --device, or set --device cpu.")
    return "cuda" if torch.cuda.is_available() else "cpu"
