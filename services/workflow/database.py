"""PostgreSQL: the tables, created on first use, and transactions that are bounded in time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.workflow.domain import StoreUnavailableError

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
SCHEMA_LOCK = 7_011_001  # any number that no other program takes; two replicas starting at once must queue
POOL_SIZE = 12
FAILURES = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

metadata = MetaData()
instances = Table(
    "workflow_instances",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("workflow_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("input", JSONB, nullable=False),
    Column("failure", Text),
    Column("traceparent", String(64)),
    Column("last_run", String(64)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    # When somebody must look at it next: while it waits the timer, while it runs the end of the lease.
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("owner", String(64)),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("takeovers", Integer, nullable=False, server_default="0"),
    Index("workflow_instances_by_time", "created_at"),
    Index("workflow_instances_by_tenant", "tenant_id", "created_at"),
    Index(
        "workflow_instances_active",
        "due_at",
        postgresql_where=text("status IN ('waiting', 'running')"),
    ),
)
nodes = Table(
    "workflow_nodes",
    metadata,
    Column("instance_id", UUID(as_uuid=True), ForeignKey(instances.c.id), primary_key=True),
    Column("node_id", String(64), primary_key=True),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("result", JSONB(none_as_null=True)),
    Column("failure", Text),
    Column("fallback", Boolean, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
)
# The partners' own books. They stand in this database only because the partners are simulated here.
effects = Table(
    "partner_effects",
    metadata,
    Column("key", UUID(as_uuid=True), primary_key=True),
    Column("partner", String(64), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("reference", String(64), nullable=False),
    Column("entered_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def database_engine(url: str, *, timeout_seconds: float) -> AsyncEngine:
    """An engine whose connects and commands each end within `timeout_seconds`."""
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=timeout_seconds,
        pool_pre_ping=True,  # after a restart of the database no request fails for a stale connection
        hide_parameters=True,
        connect_args={
            "timeout": timeout_seconds,
            "command_timeout": timeout_seconds,
            "server_settings": {"application_name": "workflow"},
        },
    )


class Database(Protocol):
    """Runs work on a connection."""

    async def transaction(self, work: Work[T]) -> T:
        """What `work` returned, once it is committed; raises StoreUnavailableError."""


class PostgresDatabase:
    """Transactions on an engine; creates the tables before the first one if they are not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._prepared = False
        self._preparing = asyncio.Lock()

    async def transaction(self, work: Work[T]) -> T:
        """As Database.transaction."""
        try:
            await self._prepare()
            async with self._engine.begin() as connection:
                return await work(connection)
        except FAILURES as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        """Raise StoreUnavailableError unless the database answers and has the tables."""
        await self.transaction(lambda connection: connection.execute(text("SELECT 1")))

    async def _prepare(self) -> None:
        if self._prepared:
            return
        async with self._preparing:
            if self._prepared:
                return
            async with self._engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
                await connection.run_sync(metadata.create_all)
            self._prepared = True


class BoundedDatabase:
    """A database that answers or fails within `seconds`, whatever the one behind it does."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds

    async def transaction(self, work: Work[T]) -> T:
        """As Database.transaction; what was given up may still be committed."""
        return await self._in_time(self._database.transaction(work))

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
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


def _forget(task: "asyncio.Task[T]") -> None:
    """Look at how an abandoned task ended, or asyncio would complain that nobody did."""
    if not task.cancelled():
        task.exception()


def _unavailable(error: Exception) -> StoreUnavailableError:
    """Only the kind of failure: the drivers' texts carry statements, parameters and addresses."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return StoreUnavailableError(type(cause).__name__)
