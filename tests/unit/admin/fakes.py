"""Fakes of admin: an fds in memory, a store that fails as told, a switch, a clock of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
from services.admin.ports import FdsUnavailableError, Filter, Progress, StoreUnavailableError

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def a_case(number: int = 1, **values: Any) -> Case:
    """A held payment, `number` seconds after the start."""
    ordinary: dict[str, Any] = {
        "transaction_id": f"t-{number}", "kind": "held", "decision": "hold", "risk_score": 71.5,
        "factors": ("amount_high",), "facts": {"amount": 1_200_000.0, "country": "US"},
        "evaluated_at": START + timedelta(seconds=number),
    }  # fmt: skip
    return Case(**{**ordinary, **values})


def a_review(number: int = 1, verdict: Verdict = "fraud", reviewer: str = "reviewer-kim") -> Review:
    """A verdict on the case of that number."""
    return Review(f"t-{number}", verdict, reviewer, "a note", "a" * 32, "b" * 16)


@dataclass
class FakeFds:
    """fds in memory: `listed` by decision, labels in `told`; away while `down`, slow by `seconds`."""

    listed: dict[str, list[Case]] = field(default_factory=dict)
    told: list[tuple[str, Verdict]] = field(default_factory=list)
    answers: dict[str, Delivery] = field(default_factory=dict)
    down: bool = False
    seconds: float = 0.0
    asked: list[tuple[str, datetime | None]] = field(default_factory=list)

    async def cases(self, decision: Decision, *, limit: int, since: datetime | None = None) -> Sequence[Case]:
        self.asked.append((decision, since))
        await self._answer()
        found = sorted(self.listed.get(decision, []), key=lambda case: case.evaluated_at)
        if since is None:
            return found[::-1][:limit]
        return [case for case in found if case.evaluated_at >= since][:limit]

    async def label(self, transaction_id: str, verdict: Verdict) -> Delivery:
        await self._answer()
        self.told.append((transaction_id, verdict))
        return self.answers.get(transaction_id, "delivered")

    async def _answer(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.down:
            raise FdsUnavailableError("the fake is down")


class SilentStore:
    """A ReviewStore that never answers, or fails at once while `down`."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.prepared = False

    async def _never(self) -> Any:
        if self.down:
            raise StoreUnavailableError("the fake is down")
        await asyncio.sleep(3600)

    async def prepare(self) -> None:
        if self.down:
            raise StoreUnavailableError("the fake is down")
        self.prepared = True

    async def check(self) -> None:
        await self._never()

    async def progress(self) -> Progress:
        return Progress(*await self._never())

    async def take_in(self, cases: Sequence[Case], *, held_until: datetime | None) -> Mapping[Kind, int]:
        return dict(await self._never())

    async def queue(self, *, kind: Kind | None, limit: int) -> Sequence[Waiting]:
        return list(await self._never())

    async def accept(self, review: Review) -> Accepted:
        return Accepted(**await self._never())

    async def find(self, transaction_id: str) -> Kept | None:
        return Kept(**await self._never())

    async def reviews(self, wanted: Filter) -> Sequence[Kept]:
        return list(await self._never())

    async def claim(self, *, limit: int, lease_seconds: float) -> Sequence[Kept]:
        return list(await self._never())

    async def settle(self, transaction_id: str, delivery: Delivery) -> None:
        await self._never()

    async def postpone(self, transaction_ids: Sequence[str], *, seconds: float) -> None:
        await self._never()

    async def overview(self) -> Overview:
        return Overview(**await self._never())

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        return dict(await self._never())


@dataclass
class FakeSwitch:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, float | int | str]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, float | int | str] | None:
        return self.set.get(name)
