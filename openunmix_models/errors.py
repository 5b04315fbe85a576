"""Exceptions of the model side, each with the command's exit status. Each message is one sentence for the user."""

import errno
import re
import sys
from contextlib import suppress

# Messages of torch, and of Python for threads and libraries, which raise no exception type of their own for this.
NO_MEMORY = re.compile(
    "can.t allocate memory|cannot allocate|not enough memory|out of memory|bad_alloc|new thread|map segment"
    "|could not create a (primitive|memory)",  # of oneDNN
    re.IGNORECASE,
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the last one is the limit of `ulimit -f`


class SeparatorError(Exception):
    """Root of all exceptions whose message is meant for the user."""

    exit_status = 1


class InputError(SeparatorError):
    """Wrong arguments, or an input that cannot be separated."""

    exit_status = 2


class WeightsError(SeparatorError):
    """The model's files are missing or damaged, or cannot be fetched."""

    exit_status = 3


class DiskError(SeparatorError):
    """The disk is full, or a folder cannot be written to."""

    exit_status = 4


class MemoryShortageError(SeparatorError):
    """There is not enough memory."""

    exit_status = 5


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an exception was caused by a lack of memory."""
    unnamed = isinstance(error, (RuntimeError, ImportError)) and NO_MEMORY.search(str(error))
    return bool(unnamed) or isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def as_separator_error(error: Exception) -> SeparatorError | None:
    """Convert an exception of the system to one of this module; None if none of them fits."""
    if is_out_of_memory(error):
        return MemoryShortageError("There is not enough memory left on this machine.")
    if getattr(error, "errno", None) in FULL:
        return DiskError("There is no space left on the disk.")
    return None


def report_error(error: SeparatorError) -> int:
    """Write the error's message to stderr, if possible, and return its exit status."""
    with suppress(OSError):
        print(f"error: {error}", file=sys.stderr)
    return error.exit_status
