"""The command `python -m openunmix_models`: takes the arguments of Open-Unmix's `umx`, and writes the same files."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from . import job, warm
from .arguments import check_arguments, fetch_parser, list_parser, separate_parser
from .errors import SeparatorError, tell
from .weights import have_weights, model_folder, model_statuses, model_targets


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. The exit status of an error is its own, see errors.py."""
    argv = sys.argv[1:] if argv is None else argv
    commands = {"fetch": (fetch_parser, _fetch), "list": (list_parser, _list)}
    try:
        if argv and argv[0] in commands:
            parser, command = commands[argv[0]]
            return command(parser().parse_args(argv[1:]))
        return _separate(separate_parser().parse_args(argv))
    except SeparatorError as error:
        return tell(error)
    except KeyboardInterrupt:
        return 130


def _separate(args: Namespace) -> int:
    """All that can be known to be wrong is told here, before seconds go into importing torch."""
    folder = model_folder(args.model)
    args.folder, args.targets = str(folder), list(dict.fromkeys(args.targets or model_targets(folder)))
    check_arguments(args)
    have_weights(folder, args.targets, args.offline)
    status = warm.hand_over(args) if args.keep_warm > 0 else None
    return job.run(args) if status is None else status


def _fetch(args: Namespace) -> int:
    folder = model_folder(args.model)
    have_weights(folder, args.targets or model_targets(folder))
    return 0


def _list(args: Namespace) -> int:
    statuses = model_statuses(args.targets)
    if args.json:
        print(json.dumps([asdict(status) for status in statuses], indent=2))
        return 0
    for model in statuses:
        here = "on disk" if model.on_disk else f"{model.bytes_to_fetch / 1e6:.0f} MB to fetch"
        print(f"{model.name}: {model.description}. {', '.join(model.targets)}; {here}; {model.licence}.")
    return 0


if __name__ == "__main__":
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # where they lie, the disk may be full, which the status tells
            stream.flush()
    os._exit(status)  # nothing is left to do, and torch's own way out takes 0.4 s and 130 MB
