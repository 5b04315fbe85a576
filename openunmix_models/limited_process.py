"""Limits on a process that reads what others have made, so that hostile content costs that process alone."""

import sys
from contextlib import suppress

DECODING_SECONDS = 3600  # of the processor; 6 hours of the slowest codec take minutes
PROBING_SECONDS = 20
MEMORY_BYTES = 2 << 30  # of addresses, of which the libraries take some hundred MB


def limit(processor_seconds: int) -> None:
    """Limit the processor time and the memory of this process. Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    _lower(resource.RLIMIT_CPU, processor_seconds)
    _lower(resource.RLIMIT_AS, MEMORY_BYTES)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    """Lower one limit, unless it is lower already or the system does not have it."""
    import resource

    soft, hard = resource.getrlimit(kind)
    wanted = min(limit for limit in (soft, hard, value) if limit != resource.RLIM_INFINITY)
    with suppress(ValueError, OSError):  # macOS has no limit on addresses
        resource.setrlimit(kind, (wanted, hard))
