"""The breakages that a drill can turn on, wrapped around the adapters."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from faults import Active, Dice, Fault, Parameter
from services.fds.adapters import Sleep
from services.fds.domain import Decision, Indicator, IndicatorKind, Prediction, Transaction, Velocity
from services.fds.ports import (
    EvaluationStore,
    IntelligenceUnavailableError,
    Kept,
    Labelling,
    PastCases,
    Scorer,
    ThreatFeed,
    VelocityCounter,
    VelocityUnavailableError,
)
from services.fds.quality import Label

FAULTS: Final = (
    Fault(
        "cti_slow",
        "Lookups in the threat feed, cached or not, take longer; 150 ms breaks the SLA, 250 the engine",
        (
            Parameter("milliseconds", 150, 1, 5_000, "ms", "added to each slow lookup"),
            Parameter("rate", 1.0, 0, 1, "share", "share of evaluations whose lookup is slow"),
        ),
    ),
    Fault("cti_down", "The threat feed refuses; evaluations go on without it"),
    Fault(
        "ml_slow",
        "The model takes longer",
        (Parameter("milliseconds", 150, 1, 5_000, "ms", "added to each prediction"),),
    ),
    Fault(
        "ml_wrong",
        "The model says the opposite, so that good payments are held: precision falls",
        (Parameter("rate", 1.0, 0, 1, "share", "share of transactions that it is wrong about"),),
    ),
    Fault("redis_down", "Redis refuses; rules go on without velocity"),
    Fault(
        "database_slow",
        "Every call to PostgreSQL takes longer; from 0.8 s on answers are 503",
        (Parameter("seconds", 2.0, 0, 30, "s", "added to each call"),),
    ),
)


async def _delay(switch: Active, fault: str, sleep: Sleep) -> None:
    if (found := switch.active(fault)) is not None:
        await sleep(float(found["milliseconds"]) / 1000)


class FaultyFeed:
    """A threat feed that can be slow or down."""

    def __init__(
        self, inner: ThreatFeed, switch: Active, dice: Dice, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._inner, self._switch, self._dice, self._sleep = inner, switch, dice, sleep

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """As the inner feed, after the faults."""
        if self._switch.active("cti_down") is not None:
            raise IntelligenceUnavailableError("fault cti_down is set")
        if self._dice.strikes("cti_slow"):
            await _delay(self._switch, "cti_slow", self._sleep)
        return await self._inner.matches(seen)


class FaultyScorer:
    """A model that can be slow or wrong, whoever computes it."""

    def __init__(self, inner: Scorer, switch: Active, dice: Dice, *, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._switch, self._dice, self._sleep = inner, switch, dice, sleep

    @property
    def version(self) -> str:
        """The inner model's: a wrong model does not say so."""
        return self._inner.version

    async def predict(self, transaction: Transaction) -> Prediction:
        """As the inner model, after the faults."""
        await _delay(self._switch, "ml_slow", self._sleep)
        prediction = await self._inner.predict(transaction)
        if self._dice.strikes_key("ml_wrong", transaction.transaction_id):
            return replace(prediction, probability=1.0 - prediction.probability)
        return prediction


class FaultyVelocity:
    """Counters that can be down."""

    def __init__(self, inner: VelocityCounter, switch: Active) -> None:
        self._inner, self._switch = inner, switch

    async def count(self, transaction: Transaction) -> Velocity:
        """As the inner counters, unless the fault is set."""
        if self._switch.active("redis_down") is not None:
            raise VelocityUnavailableError("fault redis_down is set")
        return await self._inner.count(transaction)


class FaultyStore:
    """A store that can be slow; stands inside BoundedStore, so that it ends in 503 and not in a hang."""

    def __init__(self, inner: EvaluationStore, switch: Active, *, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._switch, self._sleep = inner, switch, sleep

    async def prepare(self) -> PastCases:
        """Not slowed: it runs at start only."""
        return await self._inner.prepare()

    async def check(self) -> None:
        """Not slowed: the fault is about payments, and a restart by a failing check would hide it."""
        await self._inner.check()

    async def find(self, transaction_id: str) -> Kept | None:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.find(transaction_id)

    async def add(self, kept: Kept) -> Kept:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.add(kept)

    async def label(self, transaction_id: str, label: Label) -> Labelling | None:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.label(transaction_id, label)

    async def latest(
        self, *, decision: Decision | None, unlabelled: bool, limit: int, since: datetime | None = None
    ) -> Sequence[Kept]:
        """As the inner store, after the fault."""
        await self._slow()
        return await self._inner.latest(decision=decision, unlabelled=unlabelled, limit=limit, since=since)

    async def _slow(self) -> None:
        if (found := self._switch.active("database_slow")) is not None:
            await self._sleep(float(found["seconds"]))
