"""Executions survive in a real PostgreSQL, and a database that fails does so in time."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.judgment.domain import (
    Execution,
    Filter,
    Method,
    Policy,
    Status,
    StoreUnavailableError,
    Verdict,
)
from services.judgment.store import BoundedStore, PostgresStore, database_engine

pytestmark = pytest.mark.anyio
SAMPLE = Execution(
    id=str(uuid.uuid4()),
    tenant_id="acme",
    workflow_id="credit-check",
    policy=Policy.HYBRID,
    status=Status.SUCCESS,
    method=Method.HYBRID,
    verdict=Verdict.APPROVED,
    confidence=0.75,
    cached=False,
    execution_time_ms=12.5,
    trace_id="0" * 31 + "1",
    case={"score": 700.0, "employment": "permanent", "flag": True, "note": "ü\n𝄞\uffff"},
    explanation="because",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty schema."""
    engine = database_engine(postgres_url, timeout_seconds=1.0)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS judgment_executions"))
    yield engine
    await engine.dispose()


async def test_an_execution_is_kept_as_it_was(database: AsyncEngine) -> None:
    """What is read is what was saved, to the last character."""
    store = PostgresStore(database)
    await store.save(SAMPLE)
    assert await store.get(SAMPLE.id) == SAMPLE
    assert await store.get(str(uuid.uuid4())) is None


async def test_a_failed_execution_is_kept_without_a_verdict(database: AsyncEngine) -> None:
    """Verdict, confidence and trace may be absent."""
    failed = replace(SAMPLE, status=Status.ERROR, verdict=None, confidence=None, trace_id=None)
    store = PostgresStore(database)
    await store.save(failed)
    assert await store.get(failed.id) == failed


async def test_the_newest_that_match_are_found(database: AsyncEngine) -> None:
    """Filters narrow, the limit cuts, the newest come first."""
    store = PostgresStore(database)
    kept = [
        replace(SAMPLE, id=str(uuid.uuid4()), tenant_id=tenant, created_at=SAMPLE.created_at + timedelta(n))
        for n, tenant in enumerate(["acme", "globex", "acme"])
    ]
    for each in kept:
        await store.save(each)
    assert await store.find(Filter()) == kept[::-1]
    assert await store.find(Filter(tenant_id="acme", limit=1)) == [kept[2]]
    assert await store.find(Filter(status=Status.ERROR)) == []
    assert len(await store.find(Filter(workflow_id="credit-check", method=Method.HYBRID))) == 3


async def test_many_replicas_may_create_the_table_at_once(database: AsyncEngine) -> None:
    """The advisory lock makes them queue instead of failing."""
    await asyncio.gather(*(PostgresStore(database).prepare() for _ in range(8)))
    await PostgresStore(database).ping()


async def test_a_locked_table_gives_an_error_in_time_and_then_recovers(database: AsyncEngine) -> None:
    """A statement that hangs is given up within the limit, is not committed, and leaves a working pool."""
    store = BoundedStore(PostgresStore(database), 0.5)
    await store.save(SAMPLE)
    hung = [replace(SAMPLE, id=str(uuid.uuid4())) for _ in range(30)]
    async with database.begin() as blocker:
        await blocker.execute(text("LOCK TABLE judgment_executions IN ACCESS EXCLUSIVE MODE"))
        started = time.monotonic()
        results = await asyncio.gather(*(store.save(each) for each in hung), return_exceptions=True)
        assert time.monotonic() - started < 1.5
        assert all(isinstance(result, StoreUnavailableError) for result in results)
    assert [each.id for each in await store.find(Filter())] == [SAMPLE.id]


async def test_a_refused_connection_is_an_error_without_addresses(nobody_listens: int) -> None:
    """The reason is fit for a log: no statement, no address, no password."""
    url = f"postgresql+asyncpg://u:secret@127.0.0.1:{nobody_listens}/x"
    engine = database_engine(url, timeout_seconds=1.0)
    with pytest.raises(StoreUnavailableError, match=r"^\w+$"):
        await PostgresStore(engine).save(SAMPLE)
    await engine.dispose()


async def test_a_database_that_accepts_and_says_nothing_is_given_up() -> None:
    """A hung server costs the limit and no more."""
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = database_engine(f"postgresql+asyncpg://u@127.0.0.1:{port}/x", timeout_seconds=5.0)
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.3 s"):
        await BoundedStore(PostgresStore(engine), 0.3).save(SAMPLE)
    assert time.monotonic() - started < 1.0
    await engine.dispose()
    for caller in callers:
        caller.close()
    server.close()


async def test_it_works_as_soon_as_the_database_is_there(database: AsyncEngine) -> None:
    """A start without a database is made good by the first use."""
    store = PostgresStore(database)
    async with database.begin() as blocker:
        await blocker.execute(text("SELECT pg_advisory_xact_lock(7010001)"))
        with pytest.raises(StoreUnavailableError):
            await store.prepare()
    await store.save(SAMPLE)
    assert await store.get(SAMPLE.id) == SAMPLE
