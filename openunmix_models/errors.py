"""What can go wrong, each with the exit status that the command ends with. The message is one sentence for people."""

import sys


class SeparatorError(Exception):
    """The root: something unforeseen by its children, but told in a sentence."""

    exit_status = 1


class InputError(SeparatorError):
    """Wrong arguments, or an input that cannot be separated."""

    exit_status = 2


class WeightsError(SeparatorError):
    """The model's files are missing, damaged, or not to be fetched."""

    exit_status = 3


class DiskError(SeparatorError):
    """No room on the disk, or a folder that cannot be written to."""

    exit_status = 4


def tell(error: SeparatorError) -> int:
    """Write the error's sentence on stderr; returns its exit status."""
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status
