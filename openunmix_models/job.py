"""What the command does once its arguments are right and the weights are there: load the model, separate each input."""

import ctypes
import gc
import sys
import traceback
from argparse import Namespace
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .errors import InputError, SeparatorError, WeightsError, tell, understood

M_ARENA_MAX = -8  # glibc, malloc.h


def run(args: Namespace) -> int:
    """Separate all of `args.input`, going on after one that fails; the exit status is that of the worst failure."""
    try:
        _share_one_heap()
        _import_torch()
        folder, device = Path(args.folder), _device(args)
        if args.verbose:
            print(f"using {device}", file=sys.stderr)
        model = _load(folder, tuple(args.targets), device, _stamps(folder))
        return max([_separate(Path(path), model, args) for path in args.input])
    except SeparatorError as error:
        return tell(error)
    except Exception as error:
        if told := understood(error):
            return tell(told)
        with suppress(OSError):
            traceback.print_exc()
        return 1


def _share_one_heap() -> None:
    """glibc gives each thread a heap of its own, where what it freed waits for it alone: up to 90 MB here."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _import_torch() -> None:
    """torch brings half a million objects that stay: the garbage collector need not go through them time and again."""
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()


@lru_cache(maxsize=1)
def _load(folder: Path, targets: tuple[str, ...], device: str, stamps: tuple):
    """The model, kept for the next job as long as its files are those of `stamps`."""
    from .network import load_model

    return load_model(folder, targets, device)


def _stamps(folder: Path) -> tuple:
    try:
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()))
    except OSError as error:
        raise WeightsError(f"The folder {folder.name} cannot be read: {error.strerror}.") from None


def _separate(path: Path, model, args: Namespace) -> int:
    from tqdm import tqdm

    from .estimation import RECURRED
    from .separation import Options, separate

    names = ("targets", "residual", "niter", "wiener_win_len", "ext", "start", "duration", "aggregate")
    options = Options(**{name: getattr(args, name) for name in names})
    looks = "{l_bar}{bar}| [{elapsed}<{remaining}]"
    with tqdm(desc=f"{path.name}: separating", total=100, bar_format=looks, mininterval=0.2, miniters=0) as bar:

        def show(part: float) -> None:
            if part > RECURRED and "writing" not in bar.desc:
                bar.set_description(f"{path.name}: writing", refresh=False)
            bar.update(100 * part - bar.n)

        try:
            separate(path, _outdir(path, args), model, options, show)
        except SeparatorError as error:
            with suppress(OSError):  # where stderr lies, the disk may be full
                bar.close()
            return tell(error)
    return 0


def _outdir(path: Path, args: Namespace) -> Path:
    """Where `umx` writes: <outdir>/<stem>, or <stem>_<model> in the current folder."""
    return Path(args.outdir) / path.stem if args.outdir else Path(f"{path.stem}_{Path(args.model).stem}")


def _device(args: Namespace) -> str:
    import torch

    if args.no_cuda or args.device == "cpu":
        return "cpu"
    if args.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA device here; leave --device out, or say --device cpu.")
    return "cuda" if torch.cuda.is_available() else "cpu"
