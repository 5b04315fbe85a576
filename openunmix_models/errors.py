"""What can go wrong, each with the exit status that the command ends with. The message is one sentence for people."""

import errno
import re
import sys
from contextlib import suppress

# As torch says it, and Python of a thread or a library: these have no type of their own.
NO_MEMORY = re.compile(
    "can.t allocate memory|cannot allocate|not enough memory|out of memory|bad_alloc|new thread|map segment"
    "|could not create a (primitive|memory)",  # of oneDNN
    re.IGNORECASE,
)
FULL = (errno.ENOSPC, errno.EDQUOT)


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


class MemoryShortageError(SeparatorError):
    """There is less memory than the work takes."""

    exit_status = 5


def is_for_want_of_memory(error: Exception) -> bool:
    """Whether an error means that there is no memory left."""
    unnamed = isinstance(error, (RuntimeError, ImportError)) and NO_MEMORY.search(str(error))
    return bool(unnamed) or isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def understood(error: Exception) -> SeparatorError | None:
    """The system's error as one of the children here; None if it is another."""
    if is_for_want_of_memory(error):
        return MemoryShortageError("There is not enough memory left on this machine.")
    if getattr(error, "errno", None) in FULL:
        return DiskError("There is no room left on the disk.")
    return None


def tell(error: SeparatorError) -> int:
    """Write the error's sentence on stderr, unless that lies on a disk that is full; returns its exit status."""
    with suppress(OSError):
        print(f"error: {error}", file=sys.stderr)
    return error.exit_status
