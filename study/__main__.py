"""Command line of the study: `python -m study <command> --help`."""

import argparse
import sys

from study import robustness
from study.benchmarks import serving, speed
from study.evaluation import blend, quality, report, timing
from study.synthesis import command as synthesis
from study.training import command as training

COMMANDS = {
    "timing": timing,
    "quality": quality,
    "report": report,
    "blend": blend,
    "speed": speed,
    "serving": serving,
    "faults": robustness,
    "synthesize": synthesis,
    "train": training,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m study",
        description="Evaluate and train separation models, and benchmark and test the application.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, module in COMMANDS.items():
        description = module.__doc__ or ""
        module.add_arguments(commands.add_parser(name, description=description, help=description.splitlines()[0]))
    arguments = parser.parse_args()
    try:
        return COMMANDS[arguments.command].main(arguments)
    except ModuleNotFoundError as error:
        needed = "pip install -r requirements.txt -r study/requirements.txt"
        print(f"error: {error.name} is missing: {needed}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
