"""Old orders go when they are over, with lines and payment; an accepted order that is not over never does."""

from datetime import timedelta
from uuid import UUID

from services.ecommerce.domain import Outcome, Purchase
from services.ecommerce.retention import purges
from tests.unit.ecommerce.books_of import Steps, Store, a_purchase, with_store
from tests.unit.ecommerce.conftest import Server

WEEK = timedelta(days=7)
PENDING, DECLINED = Outcome("pending", "review"), Outcome("failed", "blocked")
TABLES = ("shop_orders", "shop_order_items", "shop_payments")


async def placed(store: Store, *purchases: Purchase) -> None:
    """Purchases that were made a month ago."""
    for purchase in purchases:
        await store.books.place(purchase, step=Steps())


async def aged(store: Store) -> None:
    """All of them, and what happened to them, were a month ago."""
    async with store.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE shop_orders SET updated_at = now() - interval '30 days'")


async def delivered(store: Store) -> None:
    """Have the worker move what can be moved, to the end."""
    while await store.books.advance(limit=100):
        pass


async def counts(store: Store) -> list[int]:
    """Rows of orders, lines and payments."""
    return [int(str((await store.rows(f"SELECT count(*) FROM {name}"))[0][0])) for name in TABLES]


def test_what_is_over_goes_with_lines_and_payment(postgres: Server) -> None:
    """Delivered and cancelled ones in batches; then nothing of them is left."""

    async def work(store: Store) -> tuple[list[int], list[int]]:
        await placed(store, *(a_purchase(key=f"k-{number}") for number in range(3)))
        await placed(store, a_purchase(key="declined", outcome=DECLINED))
        await delivered(store)
        await aged(store)
        purge = purges(store.postgres)["shop_orders"]
        return [await purge(WEEK, 3) for _ in range(3)], await counts(store)

    assert with_store(postgres.url, work) == ([3, 1, 0], [0, 0, 0])


def test_an_order_that_is_not_over_stays_however_old(postgres: Server) -> None:
    """One whose payment waits for a review, and one that was not shipped yet."""

    async def work(store: Store) -> tuple[int, list[int], set[UUID]]:
        waits, on_its_way = a_purchase(key="waits", outcome=PENDING), a_purchase(key="on its way")
        await placed(store, waits)
        await placed(store, on_its_way)
        await store.books.advance(limit=100)
        await aged(store)
        count = await purges(store.postgres)["shop_orders"](WEEK, 10)
        found = {UUID(str(row[0])) for row in await store.rows("SELECT id FROM shop_orders")}
        assert found == {waits.order_id, on_its_way.order_id}
        return count, await counts(store), set()

    assert with_store(postgres.url, work, step_seconds=0.0)[:2] == (0, [2, 2, 2])


def test_what_is_young_stays(postgres: Server) -> None:
    """Its key still charges once."""

    async def work(store: Store) -> tuple[int, int]:
        purchase = a_purchase()
        await placed(store, purchase)
        await delivered(store)
        count = await purges(store.postgres)["shop_orders"](WEEK, 10)
        again = await store.books.place(a_purchase(), step=Steps())
        assert again.order_id == purchase.order_id
        return count, (await counts(store))[2]

    assert with_store(postgres.url, work) == (0, 1)


def test_the_old_ones_are_found_by_their_index(postgres: Server) -> None:
    """No sweep reads the whole table."""

    async def work(store: Store) -> str:
        async with store.engine.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = await connection.exec_driver_sql(
                "EXPLAIN SELECT id FROM shop_orders WHERE status IN ('delivered', 'cancelled') "
                "AND updated_at < now() - interval '7 days' ORDER BY updated_at LIMIT 500"
            )
            return "\n".join(row[0] for row in plan)

    assert "shop_orders_over" in with_store(postgres.url, work)
