"""Which instances nobody needs any more."""

import uuid
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from limits.retention import Purge
from services.workflow.database import effects, instances, nodes
from services.workflow.domain import ENDED, key_of


def purges(engine: AsyncEngine) -> Mapping[str, Purge]:
    """By table; nodes and effects go with their instances."""

    async def purge(age: timedelta, limit: int) -> int:
        """Only what has ended: a timer, or a partner's outage, may well be longer than we keep things."""
        c = instances.c
        old = (
            select(c.id)
            # The first condition follows from the second, and has an index.
            .where(c.created_at < func.now() - age, c.ended_at < func.now() - age)
            .where(c.status.in_([str(status) for status in ENDED]))
            .order_by(c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with engine.begin() as connection:
            ids = list((await connection.execute(old)).scalars())
            if ids:
                known = select(nodes.c.instance_id, nodes.c.node_id).where(nodes.c.instance_id.in_(ids))
                keys = [uuid.UUID(key_of(str(row[0]), row[1])) for row in await connection.execute(known)]
                await connection.execute(delete(effects).where(effects.c.key.in_(keys)))
                await connection.execute(delete(nodes).where(nodes.c.instance_id.in_(ids)))
                await connection.execute(delete(instances).where(c.id.in_(ids)))
        return len(ids)

    return {instances.name: purge}
