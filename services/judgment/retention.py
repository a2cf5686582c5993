"""Which executions nobody needs any more."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from limits.retention import Purge
from services.judgment.store import executions


def purges(engine: AsyncEngine) -> Mapping[str, Purge]:
    """By table. An execution is stored when it is over, so each may go when it is old."""

    async def purge(age: timedelta, limit: int) -> int:
        old = (
            select(executions.c.id)
            .where(executions.c.created_at < func.now() - age)
            .order_by(executions.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with engine.begin() as connection:
            return (await connection.execute(delete(executions).where(executions.c.id.in_(old)))).rowcount

    return {executions.name: purge}
