"""A prepared shop database for tests: fresh tables, and the books on them."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ecommerce.books import PostgresBooks
from services.ecommerce.database import BoundedDatabase, Postgres, connect
from services.ecommerce.domain import Line, Outcome, Purchase, Stage, Verdict
from services.ecommerce.store import PostgresAccounts, PostgresCatalogue, PostgresSetup
from services.ecommerce.tables import metadata

T = TypeVar("T")
HASH = "scrypt$1$8$1$AA==$AA=="
BUYER = uuid.UUID(int=7)


async def demo_hash() -> str:
    """Instead of forty milliseconds of work."""
    return HASH


@dataclass
class Steps:
    """Remembers the stages of a purchase."""

    names: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        self.names.append(stage)
        yield


@dataclass
class Store:
    """The adapters on one engine."""

    engine: AsyncEngine
    step_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.postgres = Postgres(self.engine)
        database = BoundedDatabase(self.postgres, call_seconds=15)
        self.setup = PostgresSetup(self.postgres, seed=7, demo_password_hash=demo_hash)
        self.books = PostgresBooks(database, step_seconds=self.step_seconds)
        self.accounts, self.catalogue = PostgresAccounts(database), PostgresCatalogue(database)

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What a statement gives."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(statement))]


def with_store(
    url: str, work: Callable[[Store], Awaitable[T]], *, fresh: bool = True, step_seconds: float = 0.0
) -> T:
    """Run `work` on a prepared database, emptied of purchases, users and carts if `fresh`."""

    async def run() -> T:
        engine = connect(url, call_seconds=10, pool_seconds=8)  # other tests may keep the machine busy
        store = Store(engine, step_seconds)
        try:
            await store.setup.prepare()
            if fresh:
                names = ", ".join(
                    f'"{name}"' for name in metadata.tables if name not in ("shop_products", "shop_keys")
                )
                async with engine.begin() as connection:
                    await connection.execute(sa.text(f"TRUNCATE {names}"))
            return await work(store)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def a_purchase(**values: object) -> Purchase:
    """A completed purchase of two lamps."""
    ids = uuid.uuid4(), uuid.uuid4()
    ordinary = Purchase(
        order_id=ids[0], payment_id=ids[1], buyer=BUYER, key="k-1", fingerprint="f" * 64,
        lines=(Line("p-001", "Lamp", 2, 12_000),), method="credit_card",
        outcome=Outcome("completed", "approved"), verdict=Verdict("approve", "low", 3.5),
        evaluation={"transaction_id": "shop-1", "amount": 24_000},
        answer={"order_id": str(ids[0]), "status": "completed"}, from_cart=False,
    )  # fmt: skip
    return replace(ordinary, **values)  # type: ignore[arg-type]  # keywords of any test
