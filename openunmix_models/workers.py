"""Thread pool in which each thread runs torch single-threaded.

With torch's own threads, which share one operation, most of the time is spent waiting for each other.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

MAX_WORKERS = 4

Result = TypeVar("Result")


class Workers(ThreadPoolExecutor):
    """A pool of threads. As a context manager, it also limits torch to one thread in the calling thread."""

    def __init__(self, device: str):
        nb_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._nb_workers = max(2, min(nb_cores, MAX_WORKERS)) if device == "cpu" else 2
        super().__init__(self._nb_workers, initializer=torch.set_num_threads, initargs=(1,))

    def in_order(
        self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]], max_pending: int = MAX_WORKERS
    ) -> Iterator[Result]:
        """Yield the results of `function(*job)` in the order of the jobs; at most `max_pending` are computed ahead."""
        nb_at_once = max(1, min(max_pending, self._nb_workers + 1))
        running: deque[Future[Result]] = deque()
        for job in jobs:
            done = [running.popleft().result()] if len(running) == nb_at_once else []
            running.append(self.submit(function, *job))
            yield from done
        while running:
            yield running.popleft().result()

    def __enter__(self) -> "Workers":
        self._nb_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown(cancel_futures=True)
        torch.set_num_threads(self._nb_threads)
