"""The arguments of the command: those of Open-Unmix's `umx` 1.3.0, and a few more."""

import argparse
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from .errors import InputError


def separate_parser() -> ArgumentParser:
    """The arguments of `python -m openunmix_models song.wav ...`."""
    parser = ArgumentParser(
        prog="python -m openunmix_models",
        description="Separate music with Open-Unmix.",
        epilog="Also: `fetch MODEL` fetches a model ahead of time, `list` shows the models known by name."
        " A file of such a name is given as ./fetch.",
    )
    add = parser.add_argument
    add("input", nargs="+", help="audio files")
    add("--model", default="umx", help="a model's name or the path of its folder (default: umx)")
    add("--targets", nargs="+", help="what to estimate (default: all that the model knows)")
    add("--outdir", help="stems go to <outdir>/<input's name>/ (default: <input's name>_<model>/)")
    add("--ext", default=".wav", choices=[".wav", ".flac", ".w64"], help="format of the stems")
    add("--start", type=float, default=0.0, help="seconds to leave out at the beginning")
    add("--duration", type=float, help="seconds to separate (default, or negative: to the end)")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: auto)")
    add("--no-cuda", action="store_true", help="the same as --device cpu")
    add("--offline", action="store_true", help="do not fetch weights that are missing")
    add("--keep-warm", type=float, default=0.0, metavar="MINUTES", help="let a process wait so long for the next job")
    add("--niter", type=int, default=1, help="iterations of the Wiener filter (default: 1)")
    add(
        "--wiener-win-len", type=int, default=300, help="frames that the filter treats at a time, 0: all (default: 300)"
    )
    add("--residual", metavar="NAME", help="write the mixture minus all targets as a stem of this name")
    add("--aggregate", type=_aggregate, metavar="JSON", help='stems as sums of targets: {"music": ["drums", "bass"]}')
    add("--verbose", action="store_true", help="say where it computes")
    return parser


def fetch_parser() -> ArgumentParser:
    """The arguments of `python -m openunmix_models fetch`."""
    parser = ArgumentParser(prog="python -m openunmix_models fetch", description="Fetch published weights.")
    parser.add_argument("model", help="umx, umxhq or umxl")
    parser.add_argument("--targets", nargs="+", help="those alone (default: all)")
    return parser


def list_parser() -> ArgumentParser:
    """The arguments of `python -m openunmix_models list`."""
    parser = ArgumentParser(prog="python -m openunmix_models list", description="Show the models known by name.")
    parser.add_argument("--targets", nargs="+", help="on disk or not: look at these alone (default: all)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def check_arguments(args: Namespace) -> None:
    """Raise InputError for arguments that cannot be meant; `args.targets` are all given."""
    _check_numbers(args)
    _check_names(args)
    if len(args.targets) == 1 and not args.residual and args.niter > 0:
        raise InputError("One target alone cannot be refined: add --residual, or say --niter 0.")
    stems = [Path(path).stem for path in args.input]
    if len(set(stems)) < len(stems):
        raise InputError("Two of the files have the same name, and their stems would have the same place.")


def _check_numbers(args: Namespace) -> None:
    if not 0 <= args.start < float("inf"):
        raise InputError(f"--start cannot be {args.start}.")
    if args.duration is not None and not abs(args.duration) < float("inf"):
        raise InputError(f"--duration cannot be {args.duration}.")
    if args.niter < 0:
        raise InputError(f"--niter cannot be {args.niter}.")
    if args.wiener_win_len < 0:
        raise InputError(f"--wiener-win-len cannot be {args.wiener_win_len}.")


def _check_names(args: Namespace) -> None:
    sources = [*args.targets, *([args.residual] if args.residual else [])]
    if len(set(sources)) < len(sources):
        raise InputError("Two stems would have the same name.")
    for name, parts in (args.aggregate or {name: [name] for name in sources}).items():
        if Path(name).name != name:
            raise InputError(f"A stem cannot be called {name!r}.")
        for part in parts:
            if part not in sources:
                raise InputError(f"{name} is to be made of {part}, which is not estimated.")


def _aggregate(text: str) -> dict[str, list[str]]:
    value = json.loads(text)
    if not isinstance(value, dict) or not all(isinstance(parts, list) and parts for parts in value.values()):
        raise argparse.ArgumentTypeError("not a JSON object of lists")
    return value
