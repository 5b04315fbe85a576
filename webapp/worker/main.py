"""The worker's process, `python -m webapp.worker.main`: it runs the queue until the server that started it ends.

The server holds this process's stdin; when that ends, the worker puts running jobs back and ends too.
Only one worker runs on an uploads folder at a time; another one waits until the first has ended.
"""

import argparse
import os
import signal
import threading

from webapp import command_prefix, limits, locks, logs
from webapp.paths import WORKER_LOCK
from webapp.worker.worker import POLL_SECONDS, Worker


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the queue of separations. The server starts this.")
    parser.add_argument("--workers", type=int, default=1, help="separations at a time")
    parser.add_argument(
        "--run-with", type=command_prefix.parse, default=(), help="command that runs separations elsewhere"
    )
    arguments = parser.parse_args()
    logs.configure()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C and stops this process in order

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_with_the_server, args=(stop,), daemon=True).start()
    lock = None
    while lock is None and not stop.wait(POLL_SECONDS):
        lock = locks.try_acquire(WORKER_LOCK)
    if lock is not None:
        Worker(arguments.workers, limits.current(), arguments.run_with).run(stop)


def _stop_with_the_server(stop: threading.Event) -> None:
    while os.read(0, 1):
        pass
    stop.set()


if __name__ == "__main__":
    main()
