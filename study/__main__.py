"""The study's commands: `python -m study <command> --help`."""

import argparse
import sys

from study import faults, quality, report, serving, speed, synthesize, timing, train

COMMANDS = {
    "timing": timing,
    "quality": quality,
    "report": report,
    "speed": speed,
    "serving": serving,
    "faults": faults,
    "synthesize": synthesize,
    "train": train,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m study", description="Measure the sound separator, train its networks."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, module in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, description=module.__doc__, help=module.__doc__.splitlines()[0]))
    arguments = parser.parse_args()
    try:
        return COMMANDS[arguments.command].main(arguments)
    except ModuleNotFoundError as error:
        needed = "pip install -r requirements.txt -r study/requirements.txt"
        print(f"error: {error.name} is missing: {needed}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
