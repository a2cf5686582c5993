"""Fakes of fds: time that passes by itself, and adapters that do as they are told."""

import asyncio
import selectors
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from services.fds.domain import (
    Decision,
    EngineName,
    Indicator,
    IndicatorKind,
    Prediction,
    Transaction,
    Velocity,
)
from services.fds.ports import Kept, Labelling, PastCases, StoreUnavailableError
from services.fds.quality import Label

T = TypeVar("T")
NOON = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)  # in Korea
CALM = Velocity(1, 1, 1, 10_000)


class _NoWaiting(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose sleeps take no time; its clock jumps to the next timer instead."""

    def __init__(self) -> None:
        self.selector = _NoWaiting()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def loop_clock() -> float:
    """The running loop's time, for code under test."""
    return asyncio.get_running_loop().time()


def a_transaction(**values: Any) -> Transaction:
    """A payment that nothing speaks against, but for what `values` change."""
    ordinary: dict[str, Any] = {
        "transaction_id": "t-1", "user_id": "user-1", "amount": 45_000.0, "payment_method": "credit_card",
        "occurred_at": NOON, "ip": "198.51.100.7", "country": "KR", "device_id": "device-1",
        "shipping_country": "KR", "billing_country": "KR", "items_count": 2, "account_age_days": 400,
    }  # fmt: skip
    return Transaction(**{**ordinary, **values})


@dataclass
class FakeVelocity:
    """Gives `answer` after `seconds`; raises it when it is an exception."""

    answer: Velocity | Exception = CALM
    seconds: float = 0.0

    async def count(self, transaction: Transaction) -> Velocity:
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakeScorer:
    """Gives `answer` after `seconds`."""

    answer: float | Exception = 0.02
    seconds: float = 0.0
    version: str = "fake-1"

    asked: int = 0

    async def predict(self, transaction: Transaction) -> Prediction:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Prediction(self.answer, self.version)


@dataclass
class FakeFeed:
    """Gives `answer` after `seconds` and remembers what it was asked."""

    answer: Sequence[Indicator] | Exception = ()
    seconds: float = 0.0
    asked: list[Mapping[IndicatorKind, str]] = field(default_factory=list)

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        self.asked.append(dict(seen))
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakeWitness:
    """Remembers what the engines did."""

    spans: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    unknown: int = 0

    @contextmanager
    def engine(self, name: EngineName) -> Iterator[None]:
        self.spans.append(name)
        yield

    def engine_failed(self, name: EngineName, error: BaseException) -> None:
        self.failures.append((name, str(error)))

    def velocity_unknown(self, error: BaseException) -> None:
        self.unknown += 1


@dataclass
class FakeStore:
    """An EvaluationStore in a dictionary; unavailable while `down`, `seconds` slow."""

    rows: dict[str, Kept] = field(default_factory=dict)
    past: PastCases = field(default_factory=PastCases)
    down: bool = False
    seconds: float = 0.0
    finds: int = 0

    async def _answer(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.down:
            raise StoreUnavailableError("the fake is down")

    async def prepare(self) -> PastCases:
        await self._answer()
        return self.past

    async def check(self) -> None:
        await self._answer()

    async def find(self, transaction_id: str) -> Kept | None:
        self.finds += 1
        await self._answer()
        return self.rows.get(transaction_id)

    async def add(self, kept: Kept) -> Kept:
        await self._answer()
        return self.rows.setdefault(kept.transaction_id, kept)

    async def label(self, transaction_id: str, label: Label) -> Labelling | None:
        await self._answer()
        kept = self.rows.get(transaction_id)
        if kept is None or kept.label is not None:
            return None if kept is None else Labelling(kept, False)
        self.rows[transaction_id] = replace(kept, label=label, labelled_at=NOON)
        return Labelling(self.rows[transaction_id], True)

    async def latest(
        self, *, decision: Decision | None, unlabelled: bool, limit: int, since: datetime | None = None
    ) -> Sequence[Kept]:
        await self._answer()
        found = [
            kept for kept in self.rows.values()
            if decision in (None, kept.decision) and not (unlabelled and kept.label)
            and (since is None or kept.created_at >= since)
        ]  # fmt: skip
        return (found if since else found[::-1])[:limit]


@dataclass
class FakeSwitch:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, float | int | str]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, float | int | str] | None:
        return self.set.get(name)
