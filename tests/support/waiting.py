"""Waiting for a condition, in place of sleeping for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    condition: Callable[[], Value], seconds: float = 30, message: str | Callable[[], str] = "", interval: float = 0.02
) -> Value:
    """Call `condition` until its value is true, and return that value. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError((message() if callable(message) else message) or f"not true after {seconds} s")
        time.sleep(interval)
    return value
