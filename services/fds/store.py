"""Evaluations, labels and the threat feed in PostgreSQL, every call under a deadline."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

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

CALL_SECONDS: Final = 0.8
"""One request makes two calls and an evaluation between them: with this limit its 503 comes within 2 s."""
PREPARE_SECONDS: Final = 20.0
_LOCK: Final = 0x_F1DE_D811  # any number that only this service uses: two workers must not create at once

metadata = sa.MetaData()
evaluations = sa.Table(
    "fds_evaluations",
    metadata,
    sa.Column("transaction_id", sa.String(64), primary_key=True),
    sa.Column("evaluation_id", sa.String(36), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("decision", sa.String(8), nullable=False),
    sa.Column("risk_score", sa.Float, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("label", sa.String(10)),
    sa.Column("labelled_at", sa.DateTime(timezone=True)),
    sa.Index("fds_evaluations_newest", sa.text("created_at DESC")),
    sa.Index("fds_evaluations_decision_newest", "decision", sa.text("created_at DESC")),
    sa.Index(
        "fds_evaluations_labelled",
        sa.text("labelled_at DESC"),
        postgresql_where=sa.text("label IS NOT NULL"),
    ),
)
indicators = sa.Table(
    "fds_threat_indicators",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(255), primary_key=True),
    sa.Column("severity", sa.String(8), nullable=False),
)

T = TypeVar("T")


def connect(database_url: str) -> AsyncEngine:
    """An engine whose pool and connections give up within a call's limit."""
    return create_async_engine(
        database_url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=CALL_SECONDS,
        pool_pre_ping=True,  # a restart of PostgreSQL costs a reconnect, not a failed payment
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"timeout": CALL_SECONDS, "command_timeout": PREPARE_SECONDS},
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
        self._engine, self._seed = engine, seed

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

        return await self._run(work)

    async def check(self) -> None:
        """Ask for nothing."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.text("SELECT 1"))

        await self._run(work)

    async def find(self, transaction_id: str) -> Kept | None:
        """By primary key."""

        async def work(connection: AsyncConnection) -> Kept | None:
            return await _find(connection, transaction_id)

        return await self._run(work)

    async def add(self, kept: Kept) -> Kept:
        """Insert, or give what is there: of two at once one wins and both callers get the same."""

        async def work(connection: AsyncConnection) -> Kept:
            values = {column.name: getattr(kept, column.name) for column in evaluations.columns}
            result = await connection.execute(
                insert(evaluations).values(values).on_conflict_do_nothing(index_elements=["transaction_id"])
            )
            if result.rowcount == 1:
                return kept
            if (earlier := await _find(connection, kept.transaction_id)) is None:
                raise StoreUnavailableError("the row that was in the way is gone")
            return earlier

        return await self._run(work)

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

        return await self._run(work)

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

        return await self._run(work)

    async def _run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            async with self._engine.begin() as connection:
                return await work(connection)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreUnavailableError(_reason(error)) from error


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
        self._engine = engine

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """One query by primary key. Raises IntelligenceUnavailableError."""
        key = sa.tuple_(indicators.c.kind, indicators.c.value)
        query = sa.select(indicators).where(key.in_(list(seen.items())))
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).mappings().all()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise IntelligenceUnavailableError(_reason(error)) from error
        return [Indicator(row["kind"], row["severity"]) for row in rows]


async def _find(connection: AsyncConnection, transaction_id: str) -> Kept | None:
    query = sa.select(evaluations).where(evaluations.c.transaction_id == transaction_id)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _kept(row)


async def _past(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[Outcome]:
    columns = (evaluations.c.decision, evaluations.c.label)
    query = sa.select(*columns).where(condition).order_by(evaluations.c.labelled_at.desc()).limit(WINDOW)
    rows = (await connection.execute(query)).all()
    return [outcome_of(cast(Decision, row[0]), cast(Label, row[1])) for row in reversed(rows)]


def _kept(row: sa.RowMapping) -> Kept:
    return Kept(**{column.name: row[column.name] for column in evaluations.columns})


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}"[:200]
