"""Old instances go when they have ended, with nodes and effects; what is still going on stays."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Result, text

from services.workflow.database import PostgresDatabase, database_engine
from services.workflow.domain import Claim, Instance, NewInstance, NodeState, NodeStatus, NodeType, Status
from services.workflow.retention import purges
from services.workflow.store import PostgresLedger, PostgresStore
from tests.unit.workflow.fakes import START

pytestmark = pytest.mark.anyio
WEEK = timedelta(days=7)
CALLED = NodeState("notify", NodeType.CALL, NodeStatus.DONE, START, attempts=1, result={"reference": "r"})


class Books:
    """Store and ledger on an empty database."""

    def __init__(self, database_url: str) -> None:
        self.engine = database_engine(database_url, timeout_seconds=5.0)
        self.database = PostgresDatabase(self.engine)
        self.store, self._ledger = PostgresStore(self.database), PostgresLedger(self.database)

    async def begun(self) -> Claim:
        """A running instance whose partner was called."""
        await self.store.create(NewInstance(str(uuid.uuid4()), "acme", "defect-triage", {}))
        (claim,) = await self.store.claim("me", limit=1, lease_seconds=60)
        key = claim.instance.key(CALLED.node_id)
        await self._ledger.enter(key, partner="p", operation="o", reference="r")
        await self.store.save(claim, [CALLED], lease_seconds=60, run=None)
        return claim

    async def ended(self) -> Instance:
        """One that completed."""
        claim = await self.begun()
        await self.store.finish(claim, Status.COMPLETED, failure=None, nodes=[CALLED])
        return claim.instance

    async def aged(self, *, what_ended: bool = True) -> None:
        """All that was so far began a month ago; and ended then too."""
        columns = ["created_at", "started_at", *(["ended_at"] if what_ended else [])]
        earlier = ", ".join(f"{name} = {name} - interval '30 days'" for name in columns)
        await self._run(f"UPDATE workflow_instances SET {earlier}")

    async def counts(self) -> list[int]:
        """Rows of instances, nodes and effects."""
        tables = ("workflow_instances", "workflow_nodes", "partner_effects")
        return [(await self._run(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]

    async def purge(self, limit: int) -> int:
        """Delete what is older than a week."""
        return await purges(self.engine)["workflow_instances"](WEEK, limit)

    async def _run(self, statement: str) -> Result[Any]:
        return await self.database.transaction(lambda connection: connection.execute(text(statement)))


async def test_ended_instances_go_with_nodes_and_effects(database_url: str) -> None:
    """In batches, until only the young one is left."""
    books = Books(database_url)
    for _ in range(3):
        await books.ended()
    await books.aged()
    young = await books.ended()
    assert [await books.purge(2) for _ in range(3)] == [2, 1, 0]
    assert await books.counts() == [1, 1, 1]
    assert await books.store.get(young.id) is not None
    await books.engine.dispose()


async def test_what_is_still_running_or_waiting_stays_with_its_effects(database_url: str) -> None:
    """However old: without its effects a partner would be called twice."""
    books = Books(database_url)
    await books.store.pause(await books.begun(), seconds=3600)
    await books.begun()
    await books.aged()
    assert await books.purge(10) == 0
    assert await books.counts() == [2, 2, 2]
    await books.engine.dispose()


async def test_its_age_counts_from_the_end(database_url: str) -> None:
    """One that ran for a month and ended today is not old."""
    books = Books(database_url)
    await books.ended()
    await books.aged(what_ended=False)
    assert await books.purge(10) == 0
    await books.engine.dispose()
