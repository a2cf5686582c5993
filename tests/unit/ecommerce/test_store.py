"""The shop's books on a real PostgreSQL: schema, idempotency, the worker's batches, and lost databases."""

import asyncio
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.ecommerce.database import POOL_SIZE, BoundedDatabase, Postgres, connect
from services.ecommerce.domain import Line, OrderStatus, Outcome, User, Verdict
from services.ecommerce.migrate import VERSION_TABLE
from services.ecommerce.ports import Quote, Settled, StoreUnavailableError
from services.ecommerce.tables import metadata
from tests.unit.ecommerce.books_of import BUYER, HASH, Steps, Store, a_purchase, with_store
from tests.unit.ecommerce.conftest import Server, free_port

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
PENDING = Outcome("pending", "review")


async def drop_all(store: Store) -> None:
    """An empty database again."""
    async with store.engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.execute(sa.text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


# --- schema and seed ---------------------------------------------------------------------------


def test_migrations_make_the_tables_that_the_code_knows(postgres: Server) -> None:
    """From empty, and nothing more the second time; the result is tables.py to the letter."""

    async def work(store: Store) -> tuple[list[object], list[tuple[object, ...]]]:
        await drop_all(store)
        first = await store.setup.prepare()
        assert await store.setup.prepare() == first

        def differences(connection: sa.Connection) -> list[object]:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            return list(compare_metadata(context, metadata))

        async with store.engine.connect() as connection:
            found = await connection.run_sync(differences)
        return found, await store.rows(f"SELECT version_num FROM {VERSION_TABLE}")

    assert with_store(postgres.url, work) == ([], [("0002",)])


def test_replicas_may_start_together_on_an_empty_database(postgres: Server) -> None:
    """Five at once: none fails, all get the same signing key, nothing is there twice."""

    async def work(store: Store) -> tuple[int, list[tuple[object, ...]]]:
        await drop_all(store)
        keys = await asyncio.gather(*(store.setup.prepare() for _ in range(5)))
        counts = "SELECT (SELECT count(*) FROM shop_products), (SELECT count(*) FROM shop_users)"
        return len(set(keys)), await store.rows(counts)

    assert with_store(postgres.url, work) == (1, [(60, 50)])


def test_a_newer_schema_is_left_alone(postgres: Server) -> None:
    """A replica of the version before starts on the tables of the next one during a roll-out."""

    async def work(store: Store) -> list[tuple[object, ...]]:
        async with store.engine.begin() as connection:
            await connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        await store.setup.prepare()
        found = await store.rows(f"SELECT version_num FROM {VERSION_TABLE}")
        async with store.engine.begin() as connection:
            await connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0002'"))
        return found

    assert with_store(postgres.url, work) == [("9999",)]


# --- catalogue, users, carts -------------------------------------------------------------------


def test_products_are_paged_filtered_and_found(postgres: Server) -> None:
    """In the order of their ids; a search takes no pattern from the caller."""

    async def work(store: Store) -> tuple[list[str], set[str], int, int, object]:
        catalogue = store.catalogue
        page = await catalogue.products(category=None, limit=3, offset=1)
        books = await catalogue.products(category="books", limit=100, offset=0)
        found = await catalogue.search("KETTLE", limit=50)
        return (
            [one.id for one in page], {one.category for one in books}, len(found),
            len(await catalogue.search("%", limit=50)), await catalogue.product("p-999"),
        )  # fmt: skip

    assert with_store(postgres.url, work) == (["p-002", "p-003", "p-004"], {"books"}, 2, 0, None)


def test_an_address_registers_once(postgres: Server) -> None:
    """Of ten at once one user is added; the same user again, after a lost answer, is no rival."""

    async def work(store: Store) -> tuple[int, bool, User | None]:
        rivals = [User(uuid.uuid4(), "a@b.example", f"N{n}", HASH, MOMENT) for n in range(10)]
        added = await asyncio.gather(*(store.accounts.add(user) for user in rivals))
        winner = rivals[added.index(True)]
        again = await store.accounts.add(winner)
        assert await store.accounts.by_email("a@b.example") == winner
        return sum(added), again, await store.accounts.by_email("x@b.example")

    assert with_store(postgres.url, work) == (1, True, None)


def test_a_cart_holds_quantities_at_the_price_of_the_day(postgres: Server) -> None:
    """Setting is idempotent, 0 takes out, an unknown product is refused, and so is the 51st line."""

    async def work(store: Store) -> tuple[list[tuple[str, int]], list[bool], bool]:
        put = store.accounts.put
        for _ in range(2):
            assert await put(BUYER, "p-001", 3)
        assert await put(BUYER, "p-002", 1)
        assert await put(BUYER, "p-002", 0)
        assert await put(BUYER, "p-002", 0)
        unknown = await put(BUYER, "p-999", 1)
        cart = [(line.product_id, line.quantity) for line in await store.accounts.cart(BUYER)]
        other = uuid.uuid4()
        filled = [await put(other, f"p-{number:03d}", 1) for number in range(1, 52)]
        assert await put(other, "p-001", 9)  # a line that is there may change in a full cart
        return cart, [all(filled[:50]), filled[50]], unknown

    assert with_store(postgres.url, work) == ([("p-001", 3)], [True, False], False)


# --- purchases ---------------------------------------------------------------------------------


def test_a_purchase_is_in_the_books_with_its_lines(postgres: Server) -> None:
    """Payment, order and lines, in the two stages that are timed."""

    async def work(store: Store) -> None:
        purchase, steps = a_purchase(), Steps()
        kept = await store.books.place(purchase, step=steps)
        assert (kept.order_id, kept.status_code, kept.answer) == (purchase.order_id, 201, purchase.answer)
        assert steps.names == ["charge", "commit"]
        order = await store.books.order(purchase.order_id)
        assert order is not None
        assert (order.status, order.amount, order.items, order.payment_status) == (
            "pending",
            24_000,
            2,
            "completed",
        )
        assert list(order.lines) == list(purchase.lines)
        assert [one.id for one in await store.books.orders(BUYER, limit=5)] == [purchase.order_id]
        assert await store.books.order(uuid.uuid4()) is None

    with_store(postgres.url, work)


def test_fifty_attempts_with_one_key_are_one_purchase(postgres: Server) -> None:
    """However many processes try at once: one payment, one order, and all are told of the same one."""

    async def work(store: Store) -> tuple[int, list[tuple[object, ...]]]:
        kept = await asyncio.gather(*(store.books.place(a_purchase(), step=Steps()) for _ in range(50)))
        counts = "SELECT (SELECT count(*) FROM shop_payments), (SELECT count(*) FROM shop_orders)"
        return len({(one.order_id, one.payment_id) for one in kept}), await store.rows(counts)

    assert with_store(postgres.url, work) == (1, [(1, 1)])


def test_a_quote_gives_todays_prices_and_the_earlier_purchase(postgres: Server) -> None:
    """Of items or of the cart, which the purchase emptied meanwhile; unknown products are left out."""

    async def work(store: Store) -> None:
        wanted = {"p-001": 2, "p-999": 1}
        first = await store.books.quote(BUYER, "k-1", wanted)
        assert [(line.product_id, line.quantity) for line in first.lines] == [("p-001", 2)]
        assert first.kept is None
        assert await store.books.quote(BUYER, "k-1", None) == Quote((), None)
        await store.accounts.put(BUYER, "p-003", 4)
        cart = await store.books.quote(BUYER, "k-1", None)
        assert [(line.product_id, line.quantity) for line in cart.lines] == [("p-003", 4)]
        placed = await store.books.place(a_purchase(lines=cart.lines, from_cart=True), step=Steps())
        assert not await store.accounts.cart(BUYER)
        for again in (None, {"p-001": 1}, {"p-999": 1}):
            assert (await store.books.quote(BUYER, "k-1", again)).kept == placed
        assert (await store.books.quote(uuid.uuid4(), "k-1", {"p-001": 1})).kept is None

    with_store(postgres.url, work)


def test_a_declined_purchase_keeps_the_cart(postgres: Server) -> None:
    """The customer may pay in another way; the refused attempt stays in the books, its order cancelled."""

    async def work(store: Store) -> None:
        await store.accounts.put(BUYER, "p-003", 4)
        declined = a_purchase(from_cart=True, outcome=Outcome("failed", "blocked"))
        assert (await store.books.place(declined, step=Steps())).status_code == 402
        assert len(await store.accounts.cart(BUYER)) == 1
        order = await store.books.order(declined.order_id)
        assert order is not None
        assert (order.status, order.payment_status) == ("cancelled", "failed")

    with_store(postgres.url, work)


# --- orders move -------------------------------------------------------------------------------


def test_orders_move_step_by_step_in_bounded_batches(postgres: Server) -> None:
    """Pending, processing, shipped, delivered; a pending payment's order stays where it is."""

    async def work(store: Store) -> list[dict[OrderStatus, int]]:
        for number in range(5):
            await store.books.place(a_purchase(key=f"k-{number}"), step=Steps())
        await store.books.place(a_purchase(key="held", outcome=PENDING), step=Steps())
        return [dict(await store.books.advance(limit=3)) for _ in range(6)]

    moves = with_store(postgres.url, work)
    assert sum((Counter(move) for move in moves), Counter()) == {
        "processing": 5, "shipped": 5, "delivered": 5,
    }  # fmt: skip
    assert max(sum(move.values()) for move in moves) == 3


def test_workers_share_the_orders(postgres: Server) -> None:
    """Ten at once move each order once a step."""

    async def work(store: Store) -> Counter[str]:
        for number in range(30):
            await store.books.place(a_purchase(key=f"k-{number}"), step=Steps())
        found: Counter[str] = Counter()
        for _ in range(4):
            for moved in await asyncio.gather(*(store.books.advance(limit=7) for _ in range(10))):
                found.update(moved)
        while moved := await store.books.advance(limit=100):
            found.update(moved)
        return found

    assert with_store(postgres.url, work) == {"processing": 30, "shipped": 30, "delivered": 30}


def test_a_worker_that_dies_in_the_middle_loses_nothing_and_moves_nothing_twice(postgres: Server) -> None:
    """Its backend is killed between the statement and the commit: the next worker finds all orders."""

    async def work(store: Store) -> dict[OrderStatus, int]:
        for number in range(20):
            await store.books.place(a_purchase(key=f"k-{number}"), step=Steps())
        async with store.engine.connect() as dying:
            pid = (await dying.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
            await dying.execute(sa.text("UPDATE shop_orders SET status = 'processing', due_at = NULL"))
            assert not await store.books.advance(limit=100)  # they are the other's
            await store.rows(f"SELECT pg_terminate_backend({pid})")
            await dying.invalidate()
        moved: dict[OrderStatus, int] = {}
        while not moved:  # the server takes a moment to let go
            moved = dict(await store.books.advance(limit=100))
        return moved

    assert with_store(postgres.url, work) == {"processing": 20}


# --- pending payments --------------------------------------------------------------------------


def test_a_pending_payment_is_settled_once(postgres: Server) -> None:
    """Of a reviewer's two answers at once the first counts; its order goes on, or is cancelled."""

    async def work(store: Store) -> tuple[list[Settled], str]:
        held = a_purchase(outcome=PENDING, key="a")
        await store.books.place(held, step=Steps())
        outcomes = [Outcome("completed", "approved"), Outcome("failed", "rejected")]
        settled = await asyncio.gather(*(store.books.settle(held.payment_id, one, None) for one in outcomes))
        order = await store.books.order(held.order_id)
        assert order is not None
        assert order.payment_status != "pending"
        moved = dict(await store.books.advance(limit=10))
        assert moved == ({"processing": 1} if order.payment_status == "completed" else {})
        return [one for one in settled if one], order.status

    settled, status = with_store(postgres.url, work)
    assert len(settled) == 1
    assert settled[0].order_status == status
    assert (settled[0].amount, settled[0].method, settled[0].buyer) == (24_000, "credit_card", BUYER)


def test_waiting_payments_are_given_to_one_worker_each(postgres: Server) -> None:
    """Not before they are due, and then not to two."""

    async def work(store: Store) -> tuple[int, int, list[object]]:
        for number in range(6):
            await store.books.place(a_purchase(outcome=PENDING, key=f"k-{number}"), step=Steps())
        early = await store.books.waiting(limit=10)
        async with store.engine.begin() as connection:
            await connection.execute(sa.text("UPDATE shop_payments SET review_at = now()"))
        taken = await asyncio.gather(*(store.books.waiting(limit=2) for _ in range(5)))
        ids = [one.payment_id for some in taken for one in some]
        return len(early), len(ids), list(set(ids))

    early, given, distinct = with_store(postgres.url, work)
    assert (early, given, len(distinct)) == (0, 6, 6)


def test_five_wrong_codes_end_a_payment(postgres: Server) -> None:
    """The right one completes it once; afterwards nothing changes."""

    async def work(store: Store) -> tuple[list[str], list[str], list[bool]]:
        wrong = a_purchase(key="a", outcome=Outcome("pending", "authentication"))
        right = a_purchase(key="b", outcome=Outcome("pending", "authentication"))
        for purchase in (wrong, right):
            await store.books.place(purchase, step=Steps())
        guesses = [await store.books.confirm(wrong.payment_id, right=False) for _ in range(5)]
        guesses.append(await store.books.confirm(wrong.payment_id, right=True))
        calls = (store.books.confirm(right.payment_id, right=True) for _ in range(5))
        confirmed = await asyncio.gather(*calls)
        assert await store.books.confirm(uuid.uuid4(), right=True) is None
        return (
            [one.status for one in guesses if one], [one.status for one in confirmed if one],
            [one.settled is not None for one in confirmed if one],
        )  # fmt: skip

    guessed, confirmed, settled = with_store(postgres.url, work)
    assert guessed == ["pending"] * 4 + ["failed"] * 2
    assert confirmed == ["completed"] * 5
    assert sum(settled) == 1


def test_a_verdict_that_comes_late_is_kept(postgres: Server) -> None:
    """A payment that waited for fds may wait for a reviewer next."""

    async def work(store: Store) -> list[tuple[object, ...]]:
        held = a_purchase(outcome=Outcome("pending", "fds_unavailable"), verdict=None)
        await store.books.place(held, step=Steps())
        settled = await store.books.settle(held.payment_id, PENDING, Verdict("hold", "high", 70.0))
        assert settled is not None
        assert settled.order_status == "pending"
        assert settled.risk_level == "high"
        return await store.rows("SELECT status, reason, decision, risk_score FROM shop_payments")

    assert with_store(postgres.url, work) == [("pending", "review", "hold", 70.0)]


# --- when PostgreSQL is not well ---------------------------------------------------------------


def test_connections_that_died_cost_no_request(postgres: Server) -> None:
    """After a restart every pooled connection is dead: each call is tried once more on a new one."""

    async def work(store: Store) -> None:
        await asyncio.gather(*(store.setup.check() for _ in range(8)))
        await store.books.place(a_purchase(), step=Steps())
        killed = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'ecommerce' AND pid <> pg_backend_pid()"
        )
        for number in range(3):
            await store.rows(killed)
            kept = await store.books.place(a_purchase(key=f"after-{number}"), step=Steps())
            assert kept.status_code == 201
            assert await store.catalogue.product("p-001") is not None

    with_store(postgres.url, work)


def test_a_database_that_is_gone_is_an_error_at_once() -> None:
    """Refused connections become the port's error."""

    async def run() -> None:
        engine = connect(f"postgresql+asyncpg://shop@127.0.0.1:{free_port()}/postgres")
        with pytest.raises(StoreUnavailableError):
            await Store(engine).catalogue.product("p-001")
        await engine.dispose()

    asyncio.run(run())


def test_a_frozen_database_is_given_up_in_time_and_nothing_is_lost(postgres: Server) -> None:
    """The driver's clean-up is not waited for; the same key afterwards finds out what became of it."""

    async def work(store: Store) -> tuple[list[float], int]:
        bounded = BoundedDatabase(Postgres(store.engine))
        books, spent = type(store.books)(bounded, step_seconds=0), []
        purchase = a_purchase()
        await books.quote(BUYER, "k-1", {"p-001": 1})
        with postgres.frozen():
            for call in (books.quote(BUYER, "k-1", {"p-001": 1}), books.place(purchase, step=Steps())):
                started = time.monotonic()
                with pytest.raises(StoreUnavailableError):
                    await call
                spent.append(time.monotonic() - started)
        for _ in range(20):
            try:
                await books.place(purchase, step=Steps())
                break
            except StoreUnavailableError:
                continue
        rows = await store.rows("SELECT count(*) FROM shop_payments")
        return spent, int(str(rows[0][0]))

    spent, payments = with_store(postgres.url, work)
    assert all(seconds < 1.2 for seconds in spent)
    assert payments == 1


def test_a_pool_without_a_free_connection_says_so(postgres: Server) -> None:
    """And not that the database is gone."""

    async def run() -> str:
        engine = connect(postgres.url, call_seconds=10, pool_seconds=0.1)
        held = [await engine.connect() for _ in range(POOL_SIZE)]
        try:
            with pytest.raises(StoreUnavailableError) as raised:
                await Postgres(engine).read(lambda connection: connection.execute(sa.text("SELECT 1")))
        finally:
            for connection in held:
                await connection.close()
            await engine.dispose()
        return raised.value.trouble

    assert asyncio.run(run()) == "pool"


def test_our_own_mistakes_are_not_called_an_outage(postgres: Server) -> None:
    """Wrong SQL must show as a failure of ours, not as 'try again'."""

    async def work(store: Store) -> None:
        with pytest.raises(sa.exc.ProgrammingError):
            await store.postgres.read(lambda connection: connection.execute(sa.text("SELECT nothing")))

    with_store(postgres.url, work)


def test_lines_add_up() -> None:
    """KRW."""
    assert Line("p", "n", 3, 1_500).amount == 4_500
