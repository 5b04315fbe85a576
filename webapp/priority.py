"""Who goes first on a busy machine: the server, then what people wait for, then what nobody waits for."""

import os
from contextlib import suppress

# Of scripts and the worker, below the server: a third of its share. Without it the scripts of many senders kept the
# server, which needs a fifth of a core, from answering for seconds. The separation is the worker's child and goes
# beside the scripts, else it would keep pages waiting.
WORK = 5


def lower(pid: int, steps: int) -> None:
    """Let a process that this one has just started make way for it, by so many steps of niceness (not on Windows)."""
    if os.name != "nt":
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + steps)
