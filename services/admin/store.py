"""Cases and reviews in PostgreSQL; every error of the database becomes StoreUnavailableError."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.admin.domain import Accepted, Case, Delivery, Kept, Kind, Overview, Review, Waiting
from services.admin.ports import Filter, Progress, StoreUnavailableError
from services.admin.tables import cases, intake, metadata, reviews

CALL_SECONDS: Final = 1.5
"""A request makes one call, so its 503 comes within two seconds."""
PREPARE_SECONDS: Final = 20.0
_LOCK: Final = 0x_AD_317  # any number that only this service uses: two workers must not create at once
_FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

T = TypeVar("T")


def connect(database_url: str) -> AsyncEngine:
    """An engine whose pool and connections give up within a call's limit."""
    return create_async_engine(
        database_url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=CALL_SECONDS,
        pool_pre_ping=True,  # a restart of PostgreSQL costs a reconnect, not a failed review
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "timeout": CALL_SECONDS,
            "command_timeout": PREPARE_SECONDS,
            "server_settings": {"application_name": "admin"},
        },
    )


class PostgresStore:
    """The ReviewStore in PostgreSQL. Times are the database's own, so that replicas agree."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def prepare(self) -> None:
        """Create tables under an advisory lock, so that workers may start together."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(metadata.create_all)

        await self._run(work)

    async def check(self) -> None:
        """Ask for nothing."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.text("SELECT 1"))

        await self._run(work)

    async def progress(self) -> Progress:
        """Counted by the index of open cases."""

        async def work(connection: AsyncConnection) -> Progress:
            until = (await connection.execute(sa.select(intake.c.held_until))).scalar()
            held, spot_checks = await _open(connection)
            return Progress(until, held, spot_checks)

        return await self._run(work)

    async def take_in(self, cases_: Sequence[Case], *, held_until: datetime | None) -> Mapping[Kind, int]:
        """Cases and progress in one transaction: what is lost of one is lost of both."""
        rows = {case.transaction_id: _row(case) for case in cases_}

        async def work(connection: AsyncConnection) -> Mapping[Kind, int]:
            new: dict[Kind, int] = {}
            if rows:
                known = sa.select(reviews.c.transaction_id).where(reviews.c.transaction_id.in_(list(rows)))
                for reported in (await connection.execute(known)).scalars():
                    del rows[reported]  # somebody decided it before it came into the queue
            if rows:
                statement = insert(cases).on_conflict_do_nothing().returning(cases.c.kind)
                for kind in (await connection.execute(statement, list(rows.values()))).scalars():
                    new[kind] = new.get(kind, 0) + 1
            if held_until is not None:
                await connection.execute(
                    insert(intake)
                    .values(only=1, held_until=held_until)
                    .on_conflict_do_update(index_elements=["only"], set_={"held_until": held_until})
                )
            return new

        return await self._run(work)

    async def queue(self, *, kind: Kind | None, limit: int) -> Sequence[Waiting]:
        """Served by the index of open cases."""
        waited = sa.extract("epoch", sa.func.clock_timestamp() - cases.c.queued_at).label("waited")
        query = sa.select(cases, waited).where(cases.c.closed_at.is_(None))
        query = query.order_by(cases.c.queued_at, cases.c.evaluated_at).limit(limit)
        if kind is not None:
            query = query.where(cases.c.kind == kind)

        async def work(connection: AsyncConnection) -> Sequence[Waiting]:
            return [_waiting(row) for row in (await connection.execute(query)).mappings()]

        return await self._run(work)

    async def accept(self, review: Review) -> Accepted:
        """Review and closed case in one transaction; of two reviewers at once one wins."""
        key = review.transaction_id

        async def work(connection: AsyncConnection) -> Accepted:
            waited = sa.extract("epoch", sa.func.clock_timestamp() - cases.c.queued_at)
            query = sa.select(cases.c.kind, waited.label("waited")).where(cases.c.transaction_id == key)
            case = (await connection.execute(query.with_for_update())).mappings().first()
            values = {column.name: getattr(review, column.name, None) for column in _GIVEN}
            values["kind"] = case["kind"] if case is not None else "reported"
            inserted = await connection.execute(insert(reviews).values(values).on_conflict_do_nothing())
            kept = await _find(connection, key)
            if kept is None:
                raise StoreUnavailableError("the row that was in the way is gone")
            if inserted.rowcount != 1:
                return Accepted(kept, fresh=False)
            await connection.execute(
                sa.update(cases).where(cases.c.transaction_id == key).values(closed_at=sa.func.now())
            )
            return Accepted(kept, fresh=True, waited_seconds=None if case is None else float(case["waited"]))

        return await self._run(work)

    async def find(self, transaction_id: str) -> Kept | None:
        """By primary key."""

        async def work(connection: AsyncConnection) -> Kept | None:
            return await _find(connection, transaction_id)

        return await self._run(work)

    async def reviews(self, wanted: Filter) -> Sequence[Kept]:
        """Newest first."""
        query = sa.select(reviews).order_by(reviews.c.created_at.desc()).limit(wanted.limit)
        for name in ("verdict", "delivery", "reviewer"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(reviews.c[name] == value)

        async def work(connection: AsyncConnection) -> Sequence[Kept]:
            return [_kept(row) for row in (await connection.execute(query)).mappings()]

        return await self._run(work)

    async def claim(self, *, limit: int, lease_seconds: float) -> Sequence[Kept]:
        """Push the next attempt into the future, so that nobody else claims it; skip what others hold."""
        due = (
            sa.select(reviews.c.transaction_id)
            .where(reviews.c.delivery == "pending", reviews.c.next_attempt_at <= sa.func.clock_timestamp())
            .order_by(reviews.c.next_attempt_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            sa.update(reviews)
            .where(reviews.c.transaction_id.in_(due.scalar_subquery()))
            .values(next_attempt_at=sa.func.clock_timestamp() + timedelta(seconds=lease_seconds))
            .returning(reviews)
        )

        async def work(connection: AsyncConnection) -> Sequence[Kept]:
            found = [_kept(row) for row in (await connection.execute(statement)).mappings()]
            return sorted(found, key=lambda kept: kept.created_at)

        return await self._run(work)

    async def settle(self, transaction_id: str, delivery: Delivery) -> None:
        """Only a pending review: of two that delivered it the first counts."""
        statement = (
            sa.update(reviews)
            .where(reviews.c.transaction_id == transaction_id, reviews.c.delivery == "pending")
            .values(
                delivery=delivery, delivered_at=sa.func.clock_timestamp(), attempts=reviews.c.attempts + 1
            )
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._run(work)

    async def postpone(self, transaction_ids: Sequence[str], *, seconds: float) -> None:
        """One statement for a batch."""
        statement = (
            sa.update(reviews)
            .where(reviews.c.transaction_id.in_(transaction_ids), reviews.c.delivery == "pending")
            .values(
                attempts=reviews.c.attempts + 1,
                next_attempt_at=sa.func.clock_timestamp() + timedelta(seconds=seconds),
            )
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._run(work)

    async def overview(self) -> Overview:
        """By the indices of open cases and of pending reviews."""

        async def work(connection: AsyncConnection) -> Overview:
            held, spot_checks = await _open(connection)
            oldest = await _age(connection, cases.c.queued_at, cases.c.closed_at.is_(None))
            count = sa.select(sa.func.count()).select_from(reviews).where(reviews.c.delivery == "pending")
            pending = (await connection.execute(count)).scalar_one()
            age = await _age(connection, reviews.c.created_at, reviews.c.delivery == "pending")
            return Overview(held, spot_checks, oldest, pending, age)

        return await self._run(work)

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Of the last 24 hours, by the index on created_at."""
        since = sa.func.now() - timedelta(hours=24)

        async def work(connection: AsyncConnection) -> Mapping[str, Mapping[str, int]]:
            found = {}
            for name in ("verdict", "kind", "reviewer", "delivery"):
                column = reviews.c[name]
                query = sa.select(column, sa.func.count()).where(reviews.c.created_at >= since)
                rows = (await connection.execute(query.group_by(column))).all()
                found[name] = {str(value): int(count) for value, count in rows}
            return found

        return await self._run(work)

    async def _run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            async with self._engine.begin() as connection:
                return await work(connection)
        except _FAILURES as error:
            cause = getattr(error, "orig", None) or error
            raise StoreUnavailableError(f"{type(cause).__name__}: {cause}"[:200]) from error


_GIVEN: Final = tuple(
    reviews.c[name] for name in ("transaction_id", "verdict", "reviewer", "note", "trace_id", "span_id")
)


async def _find(connection: AsyncConnection, transaction_id: str) -> Kept | None:
    query = sa.select(reviews).where(reviews.c.transaction_id == transaction_id)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _kept(row)


async def _open(connection: AsyncConnection) -> tuple[int, int]:
    """Open cases: held ones and spot checks."""
    query = sa.select(cases.c.kind, sa.func.count()).where(cases.c.closed_at.is_(None)).group_by(cases.c.kind)
    counted = {str(row[0]): int(row[1]) for row in (await connection.execute(query)).all()}
    return counted.get("held", 0), counted.get("spot_check", 0)


async def _age(
    connection: AsyncConnection, moment: sa.Column[datetime], condition: sa.ColumnElement[bool]
) -> float:
    """Seconds since the earliest `moment` where `condition` holds; 0 when it holds nowhere."""
    query = sa.select(sa.extract("epoch", sa.func.clock_timestamp() - sa.func.min(moment))).where(condition)
    return max(0.0, float((await connection.execute(query)).scalar() or 0.0))


def _row(case: Case) -> dict[str, object]:
    return {
        "transaction_id": case.transaction_id,
        "kind": case.kind,
        "decision": case.decision,
        "risk_score": case.risk_score,
        "factors": list(case.factors),
        "facts": dict(case.facts),
        "evaluated_at": case.evaluated_at,
    }


def _waiting(row: sa.RowMapping) -> Waiting:
    case = Case(
        transaction_id=row["transaction_id"],
        kind=row["kind"],
        decision=row["decision"],
        risk_score=row["risk_score"],
        factors=tuple(row["factors"]),
        facts=row["facts"],
        evaluated_at=row["evaluated_at"],
    )
    return Waiting(case, row["queued_at"], max(0.0, float(row["waited"])))


def _kept(row: sa.RowMapping) -> Kept:
    review = Review(
        row["transaction_id"], row["verdict"], row["reviewer"], row["note"], row["trace_id"], row["span_id"]
    )
    return Kept(
        review, row["kind"], row["delivery"], row["attempts"], row["created_at"].astimezone(UTC),
        row["delivered_at"],
    )  # fmt: skip
