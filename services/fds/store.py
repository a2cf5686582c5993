"""Evaluations, labels and the threat feed in PostgreSQL, every call under a deadline."""

import asyncio
import random
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.fds.database import CALL_SECONDS, FAILURES, PREPARE_SECONDS, Postgres, reason
from services.fds.domain import Decision, Indicator, IndicatorKind
from services.fds.ports import (
    EvaluationStore,
    IntelligenceUnavailableError,
    Kept,
    Labelling,
    PastCases,
    StoreUnavailableError,
)
from services.fds.quality import WINDOW, Label, Outcome, outcome_of
from services.fds.tables import evaluations, indicators, metadata

_LOCK: Final = 0x_F1DE_D811  # any number that only this service uses: two workers must not create at once

T = TypeVar("T")

# Made once, not for each payment anew.
_FIND: Final = sa.select(evaluations).where(evaluations.c.transaction_id == sa.bindparam("transaction_id"))
_ADD: Final = insert(evaluations).on_conflict_do_nothing(index_elements=["transaction_id"])
_KINDS: Final[tuple[IndicatorKind, ...]] = ("ip", "device", "email_domain")
_MATCHES: Final = sa.select(indicators.c.kind, indicators.c.severity).where(
    sa.or_(*((indicators.c.kind == kind) & (indicators.c.value == sa.bindparam(kind)) for kind in _KINDS))
)


def known_threats(seed: int) -> list[dict[str, str]]:
    """The feed's content, the same for the same seed: three entries for demonstrations and some 120 more.

    Addresses are of the ranges kept for documentation, domains below .example: nobody real is accused.
    """
    source = random.Random(f"threats-{seed}")
    rows = [
        {"kind": "ip", "value": "203.0.113.66", "severity": "critical"},
        {"kind": "device", "value": "device-stolen-0001", "severity": "critical"},
        {"kind": "email_domain", "value": "throwaway.example", "severity": "high"},
    ]
    severities = ("medium", "medium", "high", "critical")
    last_bytes = source.sample([number for number in range(1, 255) if number != 66], 60)
    rows += [
        {"kind": "ip", "value": f"203.0.113.{number}", "severity": source.choice(severities)}
        for number in last_bytes
    ]
    rows += [
        {"kind": "device", "value": f"device-bad-{number:04d}", "severity": source.choice(severities)}
        for number in range(1, 41)
    ]
    rows += [
        {"kind": "email_domain", "value": f"mail{number}.throwaway.example", "severity": "medium"}
        for number in range(1, 21)
    ]
    return rows


class PostgresStore:
    """The EvaluationStore in PostgreSQL; raises StoreUnavailableError for whatever the database raises."""

    def __init__(self, engine: AsyncEngine, *, seed: int) -> None:
        self._postgres, self._seed = Postgres(engine), seed

    async def prepare(self) -> PastCases:
        """Create tables and feed under an advisory lock, so that workers may start together."""

        async def work(connection: AsyncConnection) -> PastCases:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(indicators).on_conflict_do_nothing(), known_threats(self._seed))
            stopped = evaluations.c.decision.in_(("hold", "block")) & evaluations.c.label.is_not(None)
            return PastCases(
                await _past(connection, stopped), await _past(connection, evaluations.c.label == "fraud")
            )

        return await self._translated(self._postgres.together(work))

    async def check(self) -> None:
        """Ask for nothing."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.text("SELECT 1"))

        await self._translated(self._postgres.single(work))

    async def find(self, transaction_id: str) -> Kept | None:
        """By primary key."""

        async def work(connection: AsyncConnection) -> Kept | None:
            return await _find(connection, transaction_id)

        return await self._translated(self._postgres.single(work))

    async def add(self, kept: Kept) -> Kept:
        """Insert, or give what is there: of two at once one wins and both callers get the same."""

        async def work(connection: AsyncConnection) -> Kept:
            if (await connection.execute(_ADD, vars(kept))).rowcount == 1:
                return kept
            if (earlier := await _find(connection, kept.transaction_id)) is None:
                raise StoreUnavailableError("the row that was in the way is gone")
            return earlier

        return await self._translated(self._postgres.single(work))

    async def label(self, transaction_id: str, label: Label) -> Labelling | None:
        """One UPDATE that only an unlabelled row accepts, so that no case counts twice."""

        async def work(connection: AsyncConnection) -> Labelling | None:
            result = await connection.execute(
                sa.update(evaluations)
                .where(evaluations.c.transaction_id == transaction_id, evaluations.c.label.is_(None))
                .values(label=label, labelled_at=sa.func.clock_timestamp())
            )
            kept = await _find(connection, transaction_id)
            return None if kept is None else Labelling(kept, result.rowcount == 1)

        return await self._translated(self._postgres.together(work))

    async def latest(
        self, *, decision: Decision | None, unlabelled: bool, limit: int, since: datetime | None = None
    ) -> Sequence[Kept]:
        """Served by the indices on created_at."""
        created = evaluations.c.created_at
        query = sa.select(evaluations).limit(limit)
        if since is None:
            query = query.order_by(created.desc())
        else:
            query = query.order_by(created).where(created >= since)
        if decision is not None:
            query = query.where(evaluations.c.decision == decision)
        if unlabelled:
            query = query.where(evaluations.c.label.is_(None))

        async def work(connection: AsyncConnection) -> Sequence[Kept]:
            return [_kept(row) for row in (await connection.execute(query)).mappings()]

        return await self._translated(self._postgres.single(work))

    @staticmethod
    async def _translated(call: Awaitable[T]) -> T:
        try:
            return await call
        except FAILURES as error:
            raise StoreUnavailableError(reason(error)) from error


class BoundedStore:
    """Gives up on an inner store that does not answer in time, without waiting for its clean-up."""

    def __init__(self, inner: EvaluationStore, *, call_seconds: float = CALL_SECONDS) -> None:
        self._inner, self._limit = inner, call_seconds
        self._given_up: set[asyncio.Task[Any]] = set()

    async def prepare(self) -> PastCases:
        """With a limit of its own: another worker may hold the lock."""
        return await self._within(PREPARE_SECONDS, self._inner.prepare())

    async def check(self) -> None:
        """As the inner store."""
        await self._within(self._limit, self._inner.check())

    async def find(self, transaction_id: str) -> Kept | None:
        """As the inner store."""
        return await self._within(self._limit, self._inner.find(transaction_id))

    async def add(self, kept: Kept) -> Kept:
        """As the inner store; given up, the row may be there or not, and the caller's retry finds out."""
        return await self._within(self._limit, self._inner.add(kept))

    async def label(self, transaction_id: str, label: Label) -> Labelling | None:
        """As the inner store."""
        return await self._within(self._limit, self._inner.label(transaction_id, label))

    async def latest(
        self, *, decision: Decision | None, unlabelled: bool, limit: int, since: datetime | None = None
    ) -> Sequence[Kept]:
        """As the inner store."""
        call = self._inner.latest(decision=decision, unlabelled=unlabelled, limit=limit, since=since)
        return await self._within(self._limit, call)

    async def _within(self, seconds: float, call: Coroutine[Any, Any, T]) -> T:
        # asyncio.timeout would wait until the driver has closed a connection whose peer says nothing.
        task = asyncio.create_task(call)
        try:
            done, _ = await asyncio.wait((task,), timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)
        if not done:
            raise StoreUnavailableError(f"no answer within {seconds:g} s")
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains about it


class PostgresFeed:
    """The threat feed's table."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._postgres = Postgres(engine)

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """One query by primary key. Raises IntelligenceUnavailableError."""
        values: dict[str, str | None] = {kind: seen.get(kind) for kind in _KINDS}

        async def work(connection: AsyncConnection) -> list[Indicator]:
            return [Indicator(row.kind, row.severity) for row in await connection.execute(_MATCHES, values)]

        try:
            return await self._postgres.single(work)
        except FAILURES as error:
            raise IntelligenceUnavailableError(reason(error)) from error


async def _find(connection: AsyncConnection, transaction_id: str) -> Kept | None:
    row = (await connection.execute(_FIND, {"transaction_id": transaction_id})).mappings().first()
    return None if row is None else _kept(row)


async def _past(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[Outcome]:
    columns = (evaluations.c.decision, evaluations.c.label)
    query = sa.select(*columns).where(condition).order_by(evaluations.c.labelled_at.desc()).limit(WINDOW)
    rows = (await connection.execute(query)).all()
    return [outcome_of(cast(Decision, row[0]), cast(Label, row[1])) for row in reversed(rows)]


def _kept(row: sa.RowMapping) -> Kept:
    return Kept(**{column.name: row[column.name] for column in evaluations.columns})
