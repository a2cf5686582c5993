"""Old decided cases go with their reviews; what waits for somebody stays."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from services.admin.app import real_peers
from services.admin.retention import purges
from services.admin.settings import AdminSettings
from services.admin.store import PostgresStore, connect
from services.admin.tables import cases, intake, reviews
from telemetry.settings import TelemetrySettings
from tests.unit.admin.fakes import START, a_case, a_review
from tests.unit.fds.conftest import Server

WEEK = timedelta(days=7)


def test_the_service_sweeps_its_reviews() -> None:
    """With its real peers."""
    telemetry = TelemetrySettings(service="admin", system="shopfds")
    settings = AdminSettings(telemetry, "postgresql+asyncpg://admin@127.0.0.1:1/nobody", "http://127.0.0.1:1")
    assert list(real_peers(settings).purges) == ["admin_reviews"]


def test_only_what_is_decided_and_delivered_goes(postgres: Server) -> None:
    """Open cases and verdicts that fds was not told yet stay, however old; so does what is young."""

    async def run() -> tuple[list[int], set[str], set[str]]:
        engine = connect(postgres.url)
        store = PostgresStore(engine)
        try:
            await store.prepare()
            async with engine.begin() as connection:
                for table in (cases, reviews, intake):
                    await connection.execute(sa.delete(table))
            await store.take_in([a_case(number) for number in range(1, 6)], held_until=START)
            for number in range(1, 5):
                await store.accept(a_review(number))
            for delivered in ("t-1", "t-2", "t-3"):
                await store.settle(delivered, "delivered")
            month_ago = sa.func.now() - timedelta(days=30)
            async with engine.begin() as connection:  # t-3 alone is of today
                await connection.execute(sa.update(cases).values(queued_at=month_ago))
                old = sa.update(reviews).where(reviews.c.transaction_id != "t-3")
                await connection.execute(old.values(created_at=month_ago))
            purge = purges(engine)["admin_reviews"]
            counts = [await purge(WEEK, 1) for _ in range(3)]
            async with engine.connect() as connection:
                left = [
                    set((await connection.execute(sa.select(table.c.transaction_id))).scalars())
                    for table in (cases, reviews)
                ]
            return counts, left[0], left[1]
        finally:
            await engine.dispose()

    assert asyncio.run(run()) == ([1, 1, 0], {"t-3", "t-4", "t-5"}, {"t-3", "t-4"})
