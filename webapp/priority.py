"""Priorities on a busy machine: the server first, then what people wait for, then what nobody waits for."""

import os
from contextlib import suppress

# Niceness of scripts and the worker relative to the server: a third of its share of the processor. Without it, the
# scripts of many uploads kept the server, which needs a fifth of a core, from answering for seconds. The separation
# inherits it from the worker, since otherwise it would keep the scripts waiting.
WORK = 5
# For processes that load NumPy without linear algebra. OpenBLAS would start a thread for each core, which takes
# addresses, and waits in a loop for work that never comes.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def lower(pid: int, steps: int) -> None:
    """Raise the niceness of the process `pid`, which this one has just started, by `steps` (not on Windows)."""
    if os.name != "nt":
        with suppress(OSError):  # it has already ended
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + steps)
