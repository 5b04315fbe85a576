"""What the web side bears: kills, full disks, bad input, load. The command is `python -m study faults`."""

from study.faults.command import add_arguments, main

__all__ = ["add_arguments", "main"]
