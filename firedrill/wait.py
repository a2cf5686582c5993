"""Waiting for a condition with a deadline that says what was missing."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(Exception):
    """The condition did not come true in time; the text carries the last failure."""


def poll_until(
    check: Callable[[], T],
    description: str,
    deadline_seconds: float,
    *,
    interval: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Call `check` every `interval` seconds and return its first truthy value.

    An exception of `check` counts as "not yet". Raises TimedOut after `deadline_seconds` with
    `description` and the last failure.
    """
    end = clock() + deadline_seconds
    while True:
        try:
            value = check()
            if value:
                return value
            last = f"last answer: {value!r}"
        except Exception as error:  # any failure of a probe means "not yet"; it is reported below
            last = f"last failure: {type(error).__name__}: {error}"
        if clock() >= end:
            raise TimedOut(f"{description}: not within {deadline_seconds:g} s; {last}")
        pause(min(interval, max(0.0, end - clock())))
