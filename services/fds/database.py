"""PostgreSQL: the pool, and work on its connections that is tried again when a connection was lost."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CALL_SECONDS: Final = 0.8
"""One request makes two calls and an evaluation between them: with this limit its 503 comes within 2 s."""
PREPARE_SECONDS: Final = 20.0
POOL_SIZE: Final = 20
"""More than the requests that are worked on at once (settings.REQUESTS). None on top of it for a busy moment:
making a connection takes longer than an evaluation, and the moment would only get busier."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


def connect(database_url: str) -> AsyncEngine:
    """An engine whose pool and connections give up within a call's limit."""
    return create_async_engine(
        database_url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=CALL_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "timeout": CALL_SECONDS,
            "command_timeout": PREPARE_SECONDS,
            "server_settings": {"application_name": "fds"},
        },
    )


class Postgres:
    """Raises what the driver raises, one of FAILURES.

    Work is run a second time when its connection turns out to be dead: a restart of PostgreSQL then costs a
    reconnect and not a failed payment, and no connection needs to be asked first whether it lives. So work
    must find what a first run may have done.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Without BEGIN and COMMIT around a single statement: two round trips less.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def single(self, work: Work[T]) -> T:
        """Each statement for itself."""

        async def run() -> T:
            async with self._single.connect() as connection:
                return await work(connection)

        return await _twice(run)

    async def together(self, work: Work[T]) -> T:
        """All statements in one transaction."""

        async def run() -> T:
            async with self._engine.begin() as connection:
                return await work(connection)

        return await _twice(run)


async def _twice(run: Callable[[], Awaitable[T]]) -> T:
    try:
        return await run()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return await run()


def reason(error: BaseException) -> str:
    """What the driver says."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}"[:200]
