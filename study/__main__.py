"""The study's commands: `python -m study <command> --help`."""

import argparse
import sys

from study import serving, speed

COMMANDS = {"serving": serving, "speed": speed}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m study", description="Measure the sound separator.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, module in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, description=module.__doc__, help=module.__doc__.splitlines()[0]))
    arguments = parser.parse_args()
    return COMMANDS[arguments.command].main(arguments)


if __name__ == "__main__":
    sys.exit(main())
