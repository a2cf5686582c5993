"""Old executions go, at most so many at once, and the others stay."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.judgment.domain import Filter
from services.judgment.retention import purges
from services.judgment.store import PostgresStore, database_engine
from tests.unit.judgment.test_store import SAMPLE

pytestmark = pytest.mark.anyio
WEEK = timedelta(days=7)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty schema."""
    engine = database_engine(postgres_url, timeout_seconds=5.0)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS judgment_executions"))
    yield engine
    await engine.dispose()


async def test_only_what_is_old_goes_and_the_oldest_first(database: AsyncEngine) -> None:
    """Seven of eight are too old: four, then three, then none."""
    store, now = PostgresStore(database), datetime.now(UTC)
    for number in range(8):
        moment = now - timedelta(days=number + 1.5)
        await store.save(replace(SAMPLE, id=str(UUID(int=number)), created_at=moment))
    purge = purges(database)["judgment_executions"]
    limit = timedelta(days=2)
    assert await purge(limit, 4) == 4
    assert {one.id for one in await store.find(Filter(limit=10))} == {str(UUID(int=n)) for n in range(4)}
    assert [await purge(limit, 4) for _ in range(2)] == [3, 0]
    assert [one.id for one in await store.find(Filter(limit=10))] == [str(UUID(int=0))]
