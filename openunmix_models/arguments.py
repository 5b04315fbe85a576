"""Argument parsers of the command: the arguments of Open-Unmix's `umx` 1.3.0, and a few more."""

import argparse
import json
import unicodedata
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from .errors import InputError
from .input_checks import check_outputs
from .version import project_version


def separate_parser() -> ArgumentParser:
    """Return the parser of `python -m openunmix_models song.wav ...`."""
    parser = ArgumentParser(
        prog="python -m openunmix_models",
        description="Separate music with Open-Unmix, Spleeter, or a blend of both.",
        epilog="Also: `fetch MODEL` fetches a model ahead of time, `list` shows the models known by name, `warm` starts"
        " a process that waits for a job. A file of such a name is given as ./fetch.",
    )
    add = parser.add_argument
    add("input", nargs="+", help="audio files")
    add(
        "--model",
        default="umx",
        help="a model's name, the path of its folder, or a blend: a+b, a:0.7+b:0.3 (default: umx)",
    )
    add("--targets", nargs="+", help="targets to estimate (default: all that the model has)")
    add("--outdir", help="stems go to <outdir>/<input's name>/ (default: <input's name>_<model>/)")
    add("--ext", default=".wav", choices=[".wav", ".flac", ".w64"], help="format of the stems")
    add("--start", type=float, default=0.0, help="seconds to skip at the beginning")
    add("--duration", type=float, help="seconds to separate (default, or negative: to the end)")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: auto)")
    add("--no-cuda", action="store_true", help="the same as --device cpu")
    add("--offline", action="store_true", help="do not fetch weights that are missing")
    add(
        "--keep-warm",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="keep a process with the model loaded for this long after the job",
    )
    add("--niter", type=int, help="iterations of the Wiener filter (default: the model's own, for umx 1)")
    add("--wiener-win-len", type=int, default=300, help="frames per window of the filter, 0: all (default: 300)")
    add("--residual", metavar="NAME", help="write the mixture minus all targets as a stem of this name")
    add("--aggregate", type=_aggregate, metavar="JSON", help='stems as sums of targets: {"music": ["drums", "bass"]}')
    add("--remainder", metavar="STEM", help="add what all stems leave of the mixture to this stem")
    add("--skip-existing", action="store_true", help="skip each input whose stems are all in its folder already")
    add("--verbose", action="store_true", help="print the device in use")
    add("--version", action="version", version=f"sound-separator {project_version()}")
    return parser


def fetch_parser() -> ArgumentParser:
    """Return the parser of `python -m openunmix_models fetch`."""
    parser = ArgumentParser(prog="python -m openunmix_models fetch", description="Fetch published weights.")
    parser.add_argument("model", help="umx, umxhq, umxl, spleeter, or a blend")
    parser.add_argument("--targets", nargs="+", help="targets to fetch (default: all)")
    return parser


def list_parser() -> ArgumentParser:
    """Return the parser of `python -m openunmix_models list`."""
    parser = ArgumentParser(prog="python -m openunmix_models list", description="Show the models known by name.")
    parser.add_argument("--targets", nargs="+", help="targets whose weights are checked (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--check-reachable",
        action="store_true",
        help="with --json: try to connect to the servers that publish the weights",
    )
    return parser


def warm_parser() -> ArgumentParser:
    """Return the parser of `python -m openunmix_models warm`: some of those of a separation."""
    parser = ArgumentParser(
        prog="python -m openunmix_models warm",
        description="Start a process that loads a model and waits for a job, and return at once.",
        epilog="It fetches nothing: if weights are missing, nothing happens.",
    )
    add = parser.add_argument
    add("--model", default="umx", help="a model's name, the path of its folder, or a blend (default: umx)")
    add("--targets", nargs="+", help="targets to load (default: all that the model has)")
    add("--residual", metavar="NAME", help="accepted as in a separation, and ignored")
    deed = parser.add_mutually_exclusive_group(required=True)
    deed.add_argument("--keep-warm", type=float, metavar="MINUTES", help="how long the process waits")
    deed.add_argument("--stop", action="store_true", help="end the processes that wait")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: auto)")
    add("--no-cuda", action="store_true", help="the same as --device cpu")
    add("--offline", action="store_true", help="accepted as in a separation, and ignored")
    return parser


def check_arguments(args: Namespace) -> None:
    """Check the arguments of a separation. Raises InputError; `args.targets` and `args.niter` must be set."""
    _check_numbers(args)
    _check_names(args)
    if len(args.targets) == 1 and not args.residual and args.niter > 0:
        raise InputError("The Wiener filter needs at least two sources: add --residual, or set --niter 0.")
    _check_input_names(args.input)
    check_outputs(args, list(args.aggregate or _sources(args)))


def _check_input_names(paths: Sequence[str]) -> None:
    """Each input's stems go to a folder of its name, which many file systems compare without regard to case."""
    seen: dict[str, str] = {}
    for path in paths:
        name = unicodedata.normalize("NFC", Path(path).stem).casefold()
        if name in seen:
            raise InputError(
                f"{seen[name]} and {path} have the same name without their endings, so that their stems would overwrite"
                " each other. Separate them one after another, each with an --outdir of its own."
            )
        seen[name] = path


def _check_numbers(args: Namespace) -> None:
    if not 0 <= args.start < float("inf"):
        raise InputError(f"--start cannot be {args.start}.")
    if args.duration is not None and (args.duration == 0 or not abs(args.duration) < float("inf")):
        raise InputError(f"--duration cannot be {args.duration}.")
    if args.niter < 0:
        raise InputError(f"--niter cannot be {args.niter}.")
    if args.wiener_win_len < 0:
        raise InputError(f"--wiener-win-len cannot be {args.wiener_win_len}.")


def _sources(args: Namespace) -> list[str]:
    return [*args.targets, *([args.residual] if args.residual else [])]


def _check_names(args: Namespace) -> None:
    sources = _sources(args)
    if len(set(sources)) < len(sources):
        raise InputError("Two stems would have the same name.")
    stems = args.aggregate or {name: [name] for name in sources}
    if args.remainder and (args.remainder not in stems or len(stems) < 2):
        raise InputError(f"--remainder takes the name of one of several stems; {args.remainder} is not one of them.")
    for name, parts in stems.items():
        if Path(name).name != name:
            raise InputError(f"{name!r} is not a valid name of a stem.")
        for part in parts:
            if part not in sources:
                raise InputError(f"The stem {name} is a sum that includes {part}, which is not estimated.")


def _aggregate(text: str) -> dict[str, list[str]]:
    value = json.loads(text)
    if not isinstance(value, dict) or not all(isinstance(parts, list) and parts for parts in value.values()):
        raise argparse.ArgumentTypeError("not a JSON object of lists")
    return value
