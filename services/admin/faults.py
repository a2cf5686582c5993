"""The breakages that a drill can turn on, wrapped around the adapters."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from faults import Active, Dice, Fault, Parameter
from services.admin.domain import (
    Accepted,
    Case,
    Decision,
    Delivery,
    Kept,
    Kind,
    Overview,
    Review,
    Verdict,
    Waiting,
)
from services.admin.ports import FdsUnavailableError, Filter, FraudService, Progress, ReviewStore

Sleep = Callable[[float], Awaitable[object]]

FAULTS: Final = (
    Fault("fds_down", "Calls to fds are refused: no new cases come in, and accepted reviews wait"),
    Fault(
        "fds_slow",
        "Calls to fds take longer; from 3 s on they fail",
        (Parameter("seconds", 1.0, 0, 30, "s", "added to each call"),),
    ),
    Fault(
        "labels_poisoned",
        "Reviews reach fds the wrong way round, fraud as legitimate and the reverse: precision falls",
        (Parameter("rate", 1.0, 0, 1, "share", "share of reviews that arrive wrong"),),
    ),
    Fault(
        "database_slow",
        "Reviews, queue and lists take longer; from 1.5 s on answers are 503",
        (Parameter("seconds", 2.0, 0, 30, "s", "added to each call of a request"),),
    ),
)
_OPPOSITE: Final[Mapping[Verdict, Verdict]] = {"fraud": "legitimate", "legitimate": "fraud"}


class FaultyFraudService:
    """fds that can be slow or down, or hear the opposite of a verdict."""

    def __init__(
        self,
        inner: FraudService,
        switch: Active,
        dice: Dice,
        *,
        limit_seconds: float,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inner, self._switch, self._dice = inner, switch, dice
        self._sleep, self._limit = sleep, limit_seconds

    async def cases(self, decision: Decision, *, limit: int, since: datetime | None = None) -> Sequence[Case]:
        """As the inner service, after the faults."""
        await self._broken()
        return await self._inner.cases(decision, limit=limit, since=since)

    async def label(self, transaction_id: str, verdict: Verdict) -> Delivery:
        """As the inner service, after the faults."""
        await self._broken()
        # By transaction: what is delivered a second time must say the same.
        if self._dice.strikes_key("labels_poisoned", transaction_id):
            verdict = _OPPOSITE[verdict]
        return await self._inner.label(transaction_id, verdict)

    async def _broken(self) -> None:
        if self._switch.active("fds_down") is not None:
            raise FdsUnavailableError("fault fds_down is set")
        if (slow := self._switch.active("fds_slow")) is not None:
            seconds = float(slow["seconds"])
            await self._sleep(min(seconds, self._limit))
            if seconds >= self._limit:
                raise FdsUnavailableError(f"no answer within {self._limit:g} s (fault fds_slow is set)")


class FaultyStore:
    """A store that is slow for requests; stands inside BoundedStore, so that it ends in 503."""

    def __init__(self, inner: ReviewStore, switch: Active, *, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._switch, self._sleep = inner, switch, sleep

    async def prepare(self) -> None:
        """Not slowed: it runs at start only."""
        await self._inner.prepare()

    async def check(self) -> None:
        """Not slowed: a restart by a failing check would hide the fault."""
        await self._inner.check()

    async def progress(self) -> Progress:
        """Not slowed."""
        return await self._inner.progress()

    async def take_in(self, cases: Sequence[Case], *, held_until: datetime | None) -> Mapping[Kind, int]:
        """Not slowed."""
        return await self._inner.take_in(cases, held_until=held_until)

    async def queue(self, *, kind: Kind | None, limit: int) -> Sequence[Waiting]:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.queue(kind=kind, limit=limit)

    async def accept(self, review: Review) -> Accepted:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.accept(review)

    async def find(self, transaction_id: str) -> Kept | None:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.find(transaction_id)

    async def reviews(self, wanted: Filter) -> Sequence[Kept]:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.reviews(wanted)

    async def claim(self, *, limit: int, lease_seconds: float) -> Sequence[Kept]:
        """Not slowed."""
        return await self._inner.claim(limit=limit, lease_seconds=lease_seconds)

    async def settle(self, transaction_id: str, delivery: Delivery) -> None:
        """Not slowed."""
        await self._inner.settle(transaction_id, delivery)

    async def postpone(self, transaction_ids: Sequence[str], *, seconds: float) -> None:
        """Not slowed."""
        await self._inner.postpone(transaction_ids, seconds=seconds)

    async def overview(self) -> Overview:
        """Not slowed."""
        return await self._inner.overview()

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.counts()

    async def _slow(self) -> None:
        if (found := self._switch.active("database_slow")) is not None:
            await self._sleep(float(found["seconds"]))
