"""PostgreSQL: transactions that are tried again on a lost connection, each under a time limit."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.ecommerce.ports import StoreUnavailableError

CALL_SECONDS: Final = 0.8
"""A purchase makes two calls and asks fds between them: with this limit its 503 comes within 2.1 s."""
POOL_SECONDS: Final = 0.5
"""Below CALL_SECONDS, so that an exhausted pool says that it is one."""
PREPARE_SECONDS: Final = 20.0
POOL_SIZE: Final = 24
"""None on top of it for a busy moment: making a connection takes longer than a purchase, and the moment would
only get busier."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_OURS = (ProgrammingError, DataError, IntegrityError)
"""What the database says about our statements is our mistake, and trying again does not help."""
_THEIRS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Database(Protocol):
    """Runs work on a connection. Raises StoreUnavailableError.

    Work may be run twice, when the connection was lost in its middle or at its commit: it must be written so
    that the second run finds what the first one may have done.
    """

    def read(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        """Each statement for itself."""

    def write(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        """One transaction; work commits it itself or leaves that to us."""


def connect(
    database_url: str, *, call_seconds: float = CALL_SECONDS, pool_seconds: float = POOL_SECONDS
) -> AsyncEngine:
    """An engine whose connecting gives up after `call_seconds`, and the wait for its pool before that."""
    return create_async_engine(
        database_url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=pool_seconds,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "timeout": call_seconds,
            "command_timeout": PREPARE_SECONDS,
            "server_settings": {"application_name": "ecommerce"},
        },
    )


class Postgres:
    """The Database on an engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Without BEGIN and ROLLBACK around a single SELECT: two round trips less.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, work: Work[T]) -> T:
        """See Database."""

        async def run() -> T:
            async with self._reader.connect() as connection:
                return await work(connection)

        return await _twice(run)

    async def write(self, work: Work[T]) -> T:
        """See Database."""

        async def run() -> T:
            async with self._engine.connect() as connection:
                found = await work(connection)
                await connection.commit()
                return found

        return await _twice(run)


async def _twice(run: Callable[[], Awaitable[T]]) -> T:
    """Try again once on a connection that died, instead of asking each connection first whether it lives."""
    try:
        return await _translated(run)
    except _LostError:
        try:
            return await _translated(run)
        except _LostError as error:
            raise StoreUnavailableError(str(error)) from error


class _LostError(Exception):
    """The connection was lost."""


async def _translated(run: Callable[[], Awaitable[T]]) -> T:
    try:
        return await run()
    except PoolTimeoutError as error:
        reason = f"no connection free within {POOL_SECONDS:g} s"
        raise StoreUnavailableError(reason, trouble="pool") from error
    except _THEIRS as error:
        cause = getattr(error, "orig", None) or error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise _LostError(type(cause).__name__) from error
        if isinstance(error, _OURS):
            raise
        # Only the kind: the drivers' texts carry statements and addresses.
        raise StoreUnavailableError(type(cause).__name__) from error


class BoundedDatabase:
    """Gives up on an inner database that does not answer in time, without waiting for its clean-up."""

    def __init__(self, inner: Database, *, call_seconds: float = CALL_SECONDS) -> None:
        self._inner, self._limit = inner, call_seconds
        self._given_up: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        """As the inner database."""
        return await self._within(self._inner.read(work))

    async def write(self, work: Work[T]) -> T:
        """As the inner database; given up, it may be done or not, and the caller's repetition finds out."""
        return await self._within(self._inner.write(work))

    async def _within(self, call: Coroutine[Any, Any, T]) -> T:
        # asyncio.timeout would wait until the driver has closed a connection whose peer says nothing.
        task = asyncio.create_task(call)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._limit)
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)
        if not done:
            raise StoreUnavailableError(f"no answer within {self._limit:g} s")
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains about it
