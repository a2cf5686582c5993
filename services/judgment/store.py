"""Executions in PostgreSQL: committed before anyone is told, bounded in time, created at start."""

import asyncio
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Boolean, Column, DateTime, Float, Index, MetaData, String, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.judgment.domain import Execution, Filter, Method, Policy, Status, StoreUnavailableError, Verdict
from services.judgment.ports import Store

T = TypeVar("T")
SCHEMA_LOCK = 7_010_001  # any number that no other program takes; two replicas starting at once must queue
POOL_SIZE = 10
FAILURES = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

metadata = MetaData()
executions = Table(
    "judgment_executions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("workflow_id", String(64), nullable=False),
    Column("policy", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("method", String(16), nullable=False),
    Column("verdict", String(16)),
    Column("confidence", Float),
    Column("cached", Boolean, nullable=False),
    Column("execution_time_ms", Float, nullable=False),
    Column("trace_id", String(32)),
    Column("input", JSONB, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("judgment_executions_by_time", "created_at"),
    Index("judgment_executions_by_tenant", "tenant_id", "created_at"),
)


def database_engine(url: str, *, timeout_seconds: float) -> AsyncEngine:
    """An engine whose connects and commands each end within `timeout_seconds`."""
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=timeout_seconds,
        pool_pre_ping=True,  # after a restart of the database no request fails for a stale connection
        connect_args={
            "timeout": timeout_seconds,
            "command_timeout": timeout_seconds,
            "server_settings": {"application_name": "judgment"},
        },
    )


class PostgresStore:
    """Keeps executions in one table, which it creates on first use if it is not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._prepared = False
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Create the table unless it exists; raises StoreUnavailableError. Cheap once done."""
        if self._prepared:
            return
        async with self._preparing:
            if self._prepared:
                return
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
                    await connection.run_sync(metadata.create_all)
            except FAILURES as error:
                raise _unavailable(error) from error
            self._prepared = True

    async def ping(self) -> None:
        """Raise StoreUnavailableError unless the database answers and has the table."""
        await self.prepare()
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except FAILURES as error:
            raise _unavailable(error) from error

    async def save(self, execution: Execution) -> None:
        """Return once the execution is committed; raises StoreUnavailableError."""
        await self.prepare()
        try:
            async with self._engine.begin() as connection:
                await connection.execute(executions.insert().values(**_row(execution)))
        except FAILURES as error:
            raise _unavailable(error) from error

    async def get(self, execution_id: str) -> Execution | None:
        """The execution, or None; raises StoreUnavailableError."""
        query = select(executions).where(executions.c.id == uuid.UUID(execution_id))
        found = await self._read(query)
        return found[0] if found else None

    async def find(self, wanted: Filter) -> Sequence[Execution]:
        """The newest executions that match; raises StoreUnavailableError."""
        query = select(executions).order_by(executions.c.created_at.desc()).limit(wanted.limit)
        for name in ("tenant_id", "workflow_id", "status", "method"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(executions.c[name] == str(value))
        return await self._read(query)

    async def _read(self, query: Any) -> list[Execution]:
        await self.prepare()
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).mappings().all()
        except FAILURES as error:
            raise _unavailable(error) from error
        return [_execution(row) for row in rows]


class BoundedStore:
    """A store that answers or fails within `seconds`, whatever the one behind it does."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds

    async def save(self, execution: Execution) -> None:
        """As Store.save."""
        await self._in_time(self._store.save(execution))

    async def get(self, execution_id: str) -> Execution | None:
        """As Store.get."""
        return await self._in_time(self._store.get(execution_id))

    async def find(self, wanted: Filter) -> Sequence[Execution]:
        """As Store.find."""
        return await self._in_time(self._store.find(wanted))

    async def _in_time(self, work: Coroutine[None, None, T]) -> T:
        """As a task, because the driver's own cleaning up after a hung statement may hang too."""
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        task.add_done_callback(_forget)
        task.cancel()
        raise StoreUnavailableError(f"no answer within {self._seconds:g} s")


def _forget(task: asyncio.Task[T]) -> None:
    """Look at how an abandoned task ended, or asyncio would complain that nobody did."""
    if not task.cancelled():
        task.exception()


def _unavailable(error: Exception) -> StoreUnavailableError:
    """Only the kind of failure: the drivers' texts carry statements, parameters and addresses."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return StoreUnavailableError(type(cause).__name__)


def _row(execution: Execution) -> dict[str, object]:
    return {
        "id": uuid.UUID(execution.id),
        "tenant_id": execution.tenant_id,
        "workflow_id": execution.workflow_id,
        "policy": str(execution.policy),
        "status": str(execution.status),
        "method": str(execution.method),
        "verdict": None if execution.verdict is None else str(execution.verdict),
        "confidence": execution.confidence,
        "cached": execution.cached,
        "execution_time_ms": execution.execution_time_ms,
        "trace_id": execution.trace_id,
        "input": dict(execution.case),
        "explanation": execution.explanation,
        "created_at": execution.created_at,
    }


def _execution(row: Mapping[Any, Any]) -> Execution:
    return Execution(
        id=str(row["id"]),
        tenant_id=row["tenant_id"],
        workflow_id=row["workflow_id"],
        policy=Policy(row["policy"]),
        status=Status(row["status"]),
        method=Method(row["method"]),
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        confidence=row["confidence"],
        cached=row["cached"],
        execution_time_ms=row["execution_time_ms"],
        trace_id=row["trace_id"],
        case=row["input"],
        explanation=row["explanation"],
        created_at=row["created_at"],
    )
