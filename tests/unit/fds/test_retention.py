"""Old evaluations go, but not what somebody still needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from limits.retention import Purge
from services.fds.app import real_peers
from services.fds.database import connect
from services.fds.domain import Decision
from services.fds.ports import Kept
from services.fds.quality import WINDOW
from services.fds.retention import purges
from services.fds.settings import FdsSettings
from services.fds.store import PostgresStore
from services.fds.tables import evaluations
from telemetry.settings import TelemetrySettings
from tests.unit.fds.conftest import Server

WEEK = timedelta(days=7)
URL = "postgresql+asyncpg://fds@127.0.0.1:1/nobody"
NOW = datetime.now(UTC)


def kept(name: str, *, days: float, decision: Decision = "approve", label: Any = None) -> Kept:
    """An evaluation of so many days ago."""
    return Kept(
        name, f"e-{name}", "f" * 64, decision, 5.0, {}, {}, NOW - timedelta(days=days), label,
        None if label is None else NOW - timedelta(days=days),
    )  # fmt: skip


def purged(
    postgres: Server, rows: Sequence[Kept], work: Callable[[Purge, PostgresStore], Awaitable[None]]
) -> set[str]:
    """What is left of `rows` after `work`."""

    async def run() -> set[str]:
        engine: AsyncEngine = connect(postgres.url)
        store = PostgresStore(engine, seed=7)
        await store.prepare()
        try:
            async with engine.begin() as connection:
                await connection.execute(sa.delete(evaluations))
                await connection.execute(sa.insert(evaluations), [vars(row) for row in rows])
            await work(purges(engine)["fds_evaluations"], store)
            async with engine.connect() as connection:
                return set((await connection.execute(sa.select(evaluations.c.transaction_id))).scalars())
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_old_evaluations_go_in_batches_and_young_ones_stay(postgres: Server) -> None:
    """Five of six are too old: two, two, one."""
    rows = [kept(f"t-{number}", days=number * 2 + 6) for number in range(6)]

    async def work(purge: Purge, _: PostgresStore) -> None:
        assert [await purge(WEEK, 2) for _ in range(4)] == [2, 2, 1, 0]

    assert purged(postgres, rows, work) == {"t-0"}


def test_what_is_held_waits_for_its_label_however_long(postgres: Server) -> None:
    """A reviewer can still label it, and only then may it go; a blocked payment waits for nobody."""
    rows = [
        kept("held", days=100, decision="hold"),
        kept("blocked", days=100, decision="block"),
        kept("young", days=1, decision="hold"),
    ]

    async def work(purge: Purge, store: PostgresStore) -> None:
        assert await purge(WEEK, 10) == 1
        labelling = await store.label("held", "fraud")
        assert labelling is not None
        assert labelling.changed

    assert purged(postgres, rows, work) == {"held", "young"}


def test_the_last_labelled_cases_stay_so_that_quality_is_known_after_a_restart(postgres: Server) -> None:
    """As many as the window is long; older ones go, and what is read back is the same before and after."""
    rows = [
        kept(f"t-{number}", days=20 + number, decision="block", label="legitimate" if number % 2 else "fraud")
        for number in range(3 * WINDOW)
    ]

    async def work(purge: Purge, store: PostgresStore) -> None:
        before = await store.prepare()
        assert len(before.stopped) == len(before.fraud) == WINDOW
        while await purge(WEEK, 100):
            pass
        assert await store.prepare() == before

    left = purged(postgres, rows, work)
    assert left == {f"t-{number}" for number in range(2 * WINDOW) if number < WINDOW or number % 2 == 0}


def test_the_service_sweeps_its_evaluations() -> None:
    """With its real peers; the feed, which is no history, is not swept."""
    settings = FdsSettings(TelemetrySettings(service="fds", system="shopfds"), URL, "redis://127.0.0.1:1/0")
    assert list(real_peers(settings).purges) == ["fds_evaluations"]


def test_two_replicas_may_purge_at_once(postgres: Server) -> None:
    """Neither waits for the other, and nothing counts twice."""
    rows = [kept(f"t-{number}", days=30) for number in range(100)]

    async def work(purge: Purge, _: PostgresStore) -> None:
        counts = await asyncio.gather(*(purge(WEEK, 20) for _ in range(4)))
        assert sum(counts) + sum([await purge(WEEK, 100), await purge(WEEK, 100)]) == 100

    assert purged(postgres, rows, work) == set()
