"""Lets so many in at once and so many wait for a moment; whoever comes on top is turned away at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from limits.values import number

Refusal = Literal["queue_full", "waited_too_long"]

REFUSALS: Final[tuple[Refusal, ...]] = ("queue_full", "waited_too_long")


BURST_SECONDS: Final = 1.0
STANDING_SHARE: Final = 0.25
"""Once there has been a queue for longer than a burst lasts, waiting does not help any more: as many are
answered, all of them late. Then only this share of the time is waited."""


@dataclass(frozen=True)
class RequestLimits:
    """`running` requests are worked on at once (0: no limit), `waiting` more wait up to `wait_seconds`."""

    running: int
    waiting: int
    wait_seconds: float

    def of(self, environ: Mapping[str, str]) -> "RequestLimits":
        """MAX_REQUESTS, MAX_QUEUED_REQUESTS and MAX_QUEUE_SECONDS; our own values where they are not set.

        Raises ValueError for what cannot be used.
        """
        return RequestLimits(
            running=int(number(environ, "MAX_REQUESTS", self.running, low=0, high=10_000)),
            waiting=int(number(environ, "MAX_QUEUED_REQUESTS", self.waiting, low=0, high=10_000)),
            wait_seconds=number(environ, "MAX_QUEUE_SECONDS", self.wait_seconds, low=0.001, high=30),
        )


NO_LIMITS: Final = RequestLimits(running=0, waiting=0, wait_seconds=1.0)


class Gate:
    """Belongs to one event loop. Whoever was let in must leave again."""

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._running = 0
        self._turns: dict[asyncio.Future[Refusal | None], None] = {}  # in the order in which they came
        self._queue_since = 0.0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._turns)

    def enter_at_once(self) -> bool:
        """Enter if there is a place and nobody waits for it."""
        if self._turns or self._running >= self._limits.running:
            return False
        self._running += 1
        return True

    async def wait(self) -> Refusal | None:
        """Enter when it is our turn, which gives None, or say why not."""
        if len(self._turns) >= self._limits.waiting:
            return "queue_full"
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Refusal | None] = loop.create_future()
        if not self._turns:
            self._queue_since = loop.time()
        self._turns[turn] = None
        timer = loop.call_later(self._patience(loop.time()), _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result() is None:
                self.leave()  # our turn came at the moment at which we went
            raise
        finally:
            timer.cancel()
            self._turns.pop(turn, None)

    def _patience(self, now: float) -> float:
        standing = now - self._queue_since > BURST_SECONDS
        return self._limits.wait_seconds * (STANDING_SHARE if standing else 1.0)

    def leave(self) -> None:
        """Make room; the place goes to whoever has waited longest."""
        while self._turns:
            turn = next(iter(self._turns))
            del self._turns[turn]
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1


def _give_up(turn: "asyncio.Future[Refusal | None]") -> None:
    if not turn.done():
        turn.set_result("waited_too_long")
