"""Which cases and reviews nobody needs any more."""

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from limits.retention import Purge
from services.admin.tables import cases, reviews


def purges(engine: AsyncEngine) -> Mapping[str, Purge]:
    """By table; a case goes with its review, so that neither is taken for undecided without the other."""

    async def purge(age: timedelta, limit: int) -> int:
        """Only what is decided and was delivered: an open case waits for a reviewer, however old it is."""
        r = reviews.c
        old = (
            sa.select(r.transaction_id)
            .where(r.created_at < sa.func.now() - age, r.delivery != "pending")
            .order_by(r.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with engine.begin() as connection:
            ids = list((await connection.execute(old)).scalars())
            if ids:
                await connection.execute(sa.delete(cases).where(cases.c.transaction_id.in_(ids)))
                await connection.execute(sa.delete(reviews).where(r.transaction_id.in_(ids)))
        return len(ids)

    return {reviews.name: purge}
