"""Which evaluations nobody needs any more."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from limits.retention import Purge
from services.fds.database import Postgres
from services.fds.quality import WINDOW
from services.fds.tables import evaluations


def purges(engine: AsyncEngine) -> Mapping[str, Purge]:
    """By table. The threat feed is no history and stays."""
    postgres = Postgres(engine)

    async def purge(age: timedelta, limit: int) -> int:
        values = {"age": age, "most": limit}

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(_DELETE, values)).rowcount

        return await postgres.single(work)

    return {evaluations.name: purge}


def _delete() -> sa.Delete:
    """Old ones but two kinds: what is held waits for its label, as does its payment; and the last labelled
    cases are what precision and recall are measured on after a restart.
    """
    e = evaluations.c
    labelled = sa.select(e.transaction_id).order_by(e.labelled_at.desc()).limit(WINDOW)
    stopped = labelled.where(e.decision.in_(("hold", "block")), e.label.is_not(None)).cte("stopped")
    fraud = labelled.where(e.label == "fraud").cte("fraud")
    measured = sa.union_all(sa.select(stopped), sa.select(fraud))
    old = (
        sa.select(e.transaction_id)
        .where(e.created_at < sa.func.now() - sa.bindparam("age", type_=sa.Interval))
        .where(sa.or_(e.decision != "hold", e.label.is_not(None)))
        .where(e.transaction_id.not_in(measured))
        .order_by(e.created_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
    )
    return sa.delete(evaluations).where(e.transaction_id.in_(old))


_DELETE: Final = _delete()
