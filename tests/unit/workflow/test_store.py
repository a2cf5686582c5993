"""Instances in a real PostgreSQL: claims, leases, epochs, and an end that happens once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from firedrill.wait import poll_until
from services.workflow.database import BoundedDatabase, PostgresDatabase, database_engine
from services.workflow.domain import (
    Claim,
    Filter,
    LeaseLostError,
    NewInstance,
    NodeState,
    NodeStatus,
    NodeType,
    Status,
    StoreUnavailableError,
)
from services.workflow.store import PostgresLedger, PostgresStore
from tests.unit.fds.conftest import Server
from tests.unit.workflow.fakes import START

pytestmark = pytest.mark.anyio
DONE = NodeState(
    "lot-check", NodeType.JUDGE, NodeStatus.DONE, START, attempts=1, result={"verdict": "approved"}
)


@dataclass
class Kept:
    """A store on an empty database."""

    store: PostgresStore
    database: PostgresDatabase

    async def begin(self, workflow_id: str = "defect-triage") -> str:
        """An instance that is due."""
        new = NewInstance(str(uuid.uuid4()), "acme", workflow_id, {"defect_rate": 0.5, "line": "ä"})
        return (await self.store.create(new)).id

    async def claim(self, *, limit: int = 10, lease_seconds: float = 10.0) -> list[Claim]:
        """What one process takes."""
        return list(await self.store.claim("me", limit=limit, lease_seconds=lease_seconds))

    async def abandon(self) -> None:
        """All leases run out."""
        run_out = text("UPDATE workflow_instances SET due_at = now() WHERE status = 'running'")
        await self.database.transaction(lambda connection: connection.execute(run_out))


@pytest.fixture
async def kept(database_url: str) -> AsyncIterator[Kept]:
    """A store; its tables are made by its first transaction."""
    engine = database_engine(database_url, timeout_seconds=5.0)
    database = PostgresDatabase(engine)
    yield Kept(PostgresStore(database), database)
    await engine.dispose()


async def test_what_is_kept_is_what_was_given(kept: Kept) -> None:
    """An instance with its nodes comes back whole; the list has it without nodes."""
    known = await kept.begin()
    (claim,) = await kept.claim()
    await kept.store.save(claim, [DONE], lease_seconds=10, run="00-a-b-01")
    found = await kept.store.get(known)
    assert found is not None
    assert (found.status, found.case, found.nodes) == (
        Status.RUNNING,
        {"defect_rate": 0.5, "line": "ä"},
        (DONE,),
    )
    assert found.last_run == "00-a-b-01"
    assert [one.id for one in await kept.store.find(Filter(tenant_id="acme", status=Status.RUNNING))] == [
        known
    ]
    assert await kept.store.find(Filter(workflow_id="order-to-cash")) == []
    assert await kept.store.get(str(uuid.uuid4())) is None


async def test_an_instance_is_claimed_by_one(kept: Kept) -> None:
    """Ten that claim at once get twenty instances, each of them once."""
    ids = {await kept.begin() for _ in range(20)}
    claims = await asyncio.gather(*(kept.claim(limit=3) for _ in range(10)))
    taken = [claim.instance.id for some in claims for claim in some]
    assert len(taken) == len(set(taken))
    assert set(taken) <= ids
    taken += [claim.instance.id for claim in await kept.claim(limit=20)]
    assert sorted(taken) == sorted(ids)
    assert await kept.claim() == []


async def test_a_lease_that_ran_out_is_taken_over_and_the_first_holder_is_fenced(kept: Kept) -> None:
    """Every write of the first holder is refused from then on."""
    await kept.begin()
    (first,) = await kept.claim()
    await kept.abandon()
    (second,) = await kept.claim()
    assert (second.taken_over, second.epoch, second.instance.takeovers) == (True, 2, 1)
    for late in (
        kept.store.save(first, [DONE], lease_seconds=10, run=None),
        kept.store.pause(first, seconds=1),
        kept.store.finish(first, Status.COMPLETED, failure=None, nodes=[DONE]),
    ):
        with pytest.raises(LeaseLostError):
            await late
    ended = await kept.store.finish(second, Status.FAILED, failure="why", nodes=[])
    assert (ended.status, ended.failure, ended.instance.nodes) == (Status.FAILED, "why", ())


async def test_a_renewed_lease_is_not_taken_over(kept: Kept) -> None:
    """Only leases that are still ours are prolonged."""
    await kept.begin()
    (claim,) = await kept.claim()
    await kept.abandon()
    await kept.store.renew([claim], lease_seconds=10)
    assert await kept.claim() == []


async def test_an_end_may_be_asked_for_again_by_whoever_committed_it(kept: Kept) -> None:
    """An answer that was lost is no reason to count nothing; and the second time changes nothing."""
    await kept.begin()
    (claim,) = await kept.claim()
    first = await kept.store.finish(claim, Status.COMPLETED, failure=None, nodes=[DONE])
    again = await kept.store.finish(claim, Status.FAILED, failure="too late", nodes=[])
    assert again == first
    assert first.seconds >= 0


async def test_a_pause_is_until_then(kept: Kept) -> None:
    """Not due before its time, and no takeover when it is."""
    await kept.begin()
    (claim,) = await kept.claim()
    await kept.store.pause(claim, seconds=3600)
    assert await kept.claim() == []
    census = await kept.store.census()
    assert (census.active, census.backlog) == ({("acme", "defect-triage", "waiting"): 1}, 0)
    due = text("UPDATE workflow_instances SET due_at = now()")
    await kept.database.transaction(lambda connection: connection.execute(due))
    assert (await kept.store.census()).backlog == 1
    (again,) = await kept.claim()
    assert (again.taken_over, again.instance.takeovers) == (False, 0)


async def test_an_effect_is_entered_once(kept: Kept) -> None:
    """Whoever comes later, even at the same moment, gets the first reference."""
    ledger, key = PostgresLedger(kept.database), str(uuid.uuid4())
    asked = [ledger.enter(key, partner="erp", operation="create", reference=f"R-{n}") for n in range(8)]
    assert len(set(await asyncio.gather(*asked))) == 1


async def test_two_that_start_at_once_make_the_tables_once(database_url: str) -> None:
    """Replicas may start together on an empty database."""
    engines = [database_engine(database_url, timeout_seconds=5.0) for _ in range(4)]
    await asyncio.gather(*(PostgresDatabase(engine).ping() for engine in engines))
    for engine in engines:
        await engine.dispose()


async def test_a_frozen_database_is_given_up_in_time(database_url: str, postgres: Server) -> None:
    """It accepts connections and says nothing: the caller hears so within the limit, and no value is told."""
    engine = database_engine(database_url, timeout_seconds=5.0)
    database = PostgresDatabase(engine)
    await database.ping()
    bounded = PostgresStore(BoundedDatabase(database, 0.3))
    loop = asyncio.get_running_loop()
    with postgres.frozen():
        began = loop.time()
        with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.3 s"):
            await bounded.census()
        assert loop.time() - began < 1.0
    await engine.dispose()


def test_a_database_that_is_not_there_is_unavailable(nobody_listens: int) -> None:
    """Only the kind of failure is told, not the address or the password."""
    url = f"postgresql+asyncpg://u:hidden@127.0.0.1:{nobody_listens}/x"

    async def ask() -> str:
        engine = database_engine(url, timeout_seconds=1.0)
        try:
            await PostgresDatabase(engine).ping()
        except StoreUnavailableError as error:
            return str(error)
        finally:
            await engine.dispose()
        return ""

    told = poll_until(lambda: asyncio.run(ask()), "the database refuses", 5)
    assert "hidden" not in told
