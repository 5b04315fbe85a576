"""The command `python -m openunmix_models`, with the arguments and output files of Open-Unmix's `umx`."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from . import job, warm
from .arguments import check_arguments, fetch_parser, list_parser, separate_parser, warm_parser
from .errors import SeparatorError, report_error
from .input_checks import unusable_inputs
from .reachable import check_reachable
from .weights import default_niter, ensure_weights, find_model, is_on_disk, model_statuses, model_targets


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments, without the program's name (default: those of this process).
    Returns:
        the exit status; each error class in errors.py has its own.
    """
    argv = sys.argv[1:] if argv is None else argv
    commands = {
        "fetch": (fetch_parser, _fetch),
        "list": (list_parser, _list),
        "warm": (warm_parser, _warm),
    }
    try:
        if argv and argv[0] in commands:
            parser, command = commands[argv[0]]
            return command(parser().parse_args(argv[1:]))
        return _separate(separate_parser().parse_args(argv))
    except SeparatorError as error:
        return report_error(error)
    except KeyboardInterrupt:
        return 130


def _separate(args: Namespace) -> int:
    """Check all arguments and weights before importing torch, which takes seconds."""
    model = find_model(args.model)
    args.targets = list(dict.fromkeys(args.targets or model_targets(model)))
    args.niter = default_niter(model, args.targets, bool(args.residual)) if args.niter is None else args.niter
    check_arguments(args)
    if args.skip_existing:
        args.input = [path for path in args.input if not job.stems_exist(path, args)]
        if not args.input:
            return 0
    unusable = unusable_inputs(args.input)
    if len(unusable) == len(args.input):
        return max(map(report_error, unusable))
    ensure_weights(model, args.targets, args.offline)
    status = warm.run_in_warm_process(args) if args.keep_warm > 0 else None
    return job.run(args) if status is None else status


def _fetch(args: Namespace) -> int:
    model = find_model(args.model)
    ensure_weights(model, args.targets or model_targets(model))
    return 0


def _warm(args: Namespace) -> int:
    """Load the model in a warm process, unless its weights would have to be fetched first; or end such processes."""
    if args.stop:
        warm.stop()
        return 0
    model = find_model(args.model)
    args.targets = list(dict.fromkeys(args.targets or model_targets(model)))
    if is_on_disk(model, args.targets):
        warm.preload(args)
    return 0


def _list(args: Namespace) -> int:
    statuses = model_statuses(args.targets)
    if args.json:
        models = [asdict(status) for status in statuses]
        if args.check_reachable:
            reachable = check_reachable([status.name for status in statuses])
            models = [model | {"reachable": reachable[model["name"]]} for model in models]
        print(json.dumps(models, indent=2))
        return 0
    for model in statuses:
        here = "on disk" if model.on_disk else f"{model.bytes_to_fetch / 1e6:.0f} MB to fetch"
        print(f"{model.name}: {model.description}. {', '.join(model.targets)}; {here}; {model.licence}.")
    return 0


def _open_standard_streams() -> None:
    """Open those of the standard streams that the caller has closed; otherwise a file that is opened becomes one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


if __name__ == "__main__":
    _open_standard_streams()
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # their disk may be full, which the exit status already reports
            stream.flush()
    os._exit(status)  # torch's own exit takes 0.4 s and 130 MB, and nothing is left to clean up
