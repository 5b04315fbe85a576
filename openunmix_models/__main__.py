"""The command `python -m openunmix_models`: the arguments of Open-Unmix's `umx`, and the same files."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .errors import InputError, SeparatorError
from .weights import have_weights, model_folder, model_statuses, model_targets


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the error's own, see errors.py."""
    argv = sys.argv[1:] if argv is None else argv
    commands = {"fetch": (_fetch_parser, _fetch), "list": (_list_parser, _list)}
    try:
        if argv and argv[0] in commands:
            parser, run = commands[argv[0]]
            return run(parser().parse_args(argv[1:]))
        return _separate_all(_parser().parse_args(argv))
    except SeparatorError as error:
        return _tell(error)


def _fetch(args: argparse.Namespace) -> int:
    folder = model_folder(args.model)
    have_weights(folder, args.targets or model_targets(folder))
    return 0


def _list(args: argparse.Namespace) -> int:
    statuses = [asdict(status) for status in model_statuses(args.targets)]
    if args.json:
        print(json.dumps(statuses, indent=2))
        return 0
    for status in statuses:
        here = "on disk" if status["on_disk"] else f"{status['bytes_to_fetch'] / 1e6:.0f} MB to fetch"
        print(
            f"{status['name']}: {status['description']}. {', '.join(status['targets'])}; {here}; {status['licence']}."
        )
    return 0


def _separate_all(args: argparse.Namespace) -> int:
    folder = model_folder(args.model)
    args.targets = args.targets or model_targets(folder)
    _check_arguments(args)
    have_weights(folder, args.targets, args.offline)
    from .network import load_model  # only now: torch takes seconds

    model = load_model(folder, args.targets, _device(args))
    return max([_separate_one(Path(path), model, args) for path in args.input])


def _separate_one(path: Path, model, args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .separation import Options, separate

    names = ("targets", "residual", "niter", "wiener_win_len", "ext", "start", "duration", "aggregate")
    options = Options(**{name: getattr(args, name) for name in names})
    with tqdm(desc="separating", total=100, bar_format="{l_bar}{bar}| [{elapsed}<{remaining}]", mininterval=0.2) as bar:
        try:
            separate(path, _outdir(path, args), model, options, lambda part: bar.update(100 * part - bar.n))
        except SeparatorError as error:
            bar.leave = False
            bar.close()
            return _tell(error)
    return 0


def _outdir(path: Path, args: argparse.Namespace) -> Path:
    """Where `umx` writes: <outdir>/<stem>, or <stem>_<model> in the current folder."""
    return Path(args.outdir) / path.stem if args.outdir else Path(f"{path.stem}_{Path(args.model).stem}")


def _device(args: argparse.Namespace) -> str:
    import torch

    if args.no_cuda or args.device == "cpu":
        return "cpu"
    if args.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA device here; leave --device out, or say --device cpu.")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_arguments(args: argparse.Namespace) -> None:
    stems = [*args.targets, *([args.residual] if args.residual else []), *(args.aggregate or {})]
    for name in stems:
        if not name or Path(name).name != name:
            raise InputError(f"A stem cannot be called {name!r}.")
    if len(args.targets) == 1 and not args.residual and args.niter > 0:
        raise InputError("One target alone cannot be refined: add --residual, or say --niter 0.")
    if args.residual in args.targets:
        raise InputError(f"The residual cannot be called {args.residual}, as a target is.")


def _tell(error: SeparatorError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status


def _aggregate(text: str) -> dict:
    value = json.loads(text)
    if not isinstance(value, dict) or not all(isinstance(parts, list) and parts for parts in value.values()):
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
    add("--ext", default=".wav", choices=[".wav", ".flac"], help="format of the stems")
    add("--start", type=float, default=0.0, help="seconds to leave out at the beginning")
    add("--duration", type=float, help="seconds to separate (default, or negative: to the end)")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: auto)")
    add("--no-cuda", action="store_true", help="the same as --device cpu")
    add("--offline", action="store_true", help="do not fetch weights that are missing")
    add("--niter", type=int, default=1, help="iterations of the Wiener filter (default: 1)")
    add("--wiener-win-len", type=int, default=300, help="frames that the filter treats at a time (default: 300)")
    add("--residual", metavar="NAME", help="write the mixture minus all targets as a stem of this name")
    add("--aggregate", type=_aggregate, metavar="JSON", help='stems as sums of targets: {"music": ["drums", "bass"]}')
    return parser


def _fetch_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m openunmix_models fetch", description="Fetch published weights.")
    parser.add_argument("model", help="umx, umxhq or umxl")
    parser.add_argument("--targets", nargs="+", help="those alone (default: all)")
    return parser


def _list_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m openunmix_models list", description="Show the models known by name."
    )
    parser.add_argument("--targets", nargs="+", help="on disk or not: look at these alone (default: all)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
