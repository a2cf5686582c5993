"""Answers shared for a moment: whoever asks the same within it gets the same, and only one asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

Answer = TypeVar("Answer")
# Beyond that, what is over is forgotten with each new question.
KEPT = 256


class Shared:
    """Keeps each answer for its time to live. Failures are shared too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    async def get(self, key: Hashable, ttl: float, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to `key`: one that is at most `ttl` seconds old, or what `make` gives."""
        now = self._clock()
        kept = self._kept.get(key)
        # What was asked in a loop that is over (a test's) never gets an answer.
        if kept is None or now >= kept[0] or kept[1].get_loop() is not asyncio.get_running_loop():
            if len(self._kept) >= KEPT:
                self._forget(now)
            task: asyncio.Future[Any] = asyncio.ensure_future(make())
            task.add_done_callback(_look)
            kept = self._kept[key] = (now + ttl, task)
        # A viewer who leaves must not take the answer from the others.
        return cast(Answer, await asyncio.shield(kept[1]))

    def clear(self) -> None:
        """Forget every answer: what was changed is asked for anew."""
        self._kept.clear()

    def _forget(self, now: float) -> None:
        self._kept = {key: kept for key, kept in self._kept.items() if now < kept[0]}


def _look(task: "asyncio.Future[Any]") -> None:
    """Take note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
