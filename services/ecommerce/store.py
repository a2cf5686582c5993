"""Set-up, catalogue, users and carts in PostgreSQL."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ecommerce import migrate, seed
from services.ecommerce.database import PREPARE_SECONDS, BoundedDatabase, Database, Postgres
from services.ecommerce.domain import MOST_LINES, Line, Product, User
from services.ecommerce.tables import cart_items, keys, products, users

_LOCK: Final = 0x_5409_1F1E  # any number that no other program takes: replicas that start together queue
_KEY_BYTES: Final = 32


class PostgresSetup:
    """Migrations and seed data, under one advisory lock, so that replicas may start together."""

    def __init__(
        self,
        database: Postgres,
        *,
        seed: int,
        demo_password_hash: Callable[[], Awaitable[str]],
        prepare_seconds: float = PREPARE_SECONDS,
    ) -> None:
        self._seed, self._demo_password_hash = seed, demo_password_hash
        self._patient = BoundedDatabase(database, call_seconds=prepare_seconds)
        self._quick = BoundedDatabase(database)

    async def prepare(self) -> bytes:
        """See ports.Setup."""
        hashed = await self._demo_password_hash()

        async def work(connection: AsyncConnection) -> bytes:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(migrate.upgrade)
            await self._fill(connection, hashed)
            fresh = {"name": "signing", "value": secrets.token_bytes(_KEY_BYTES)}
            await connection.execute(insert(keys).on_conflict_do_nothing(), fresh)
            query = sa.select(keys.c.value).where(keys.c.name == "signing")
            return bytes((await connection.execute(query)).scalar_one())

        return await self._patient.write(work)

    async def check(self) -> None:
        """Ask for nothing."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.text("SELECT 1"))

        await self._quick.read(work)

    async def _fill(self, connection: AsyncConnection, hashed: str) -> None:
        goods = [vars(product) for product in seed.products(self._seed)]
        await connection.execute(insert(products).on_conflict_do_nothing(), goods)
        people = [{**row, "password_hash": hashed} for row in seed.users(self._seed)]
        await connection.execute(insert(users).on_conflict_do_nothing(), people)


class PostgresCatalogue:
    """See ports.Catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def products(self, *, category: str | None, limit: int, offset: int) -> Sequence[Product]:
        """By the index on category, or the primary key."""
        query = sa.select(products).order_by(products.c.id).limit(limit).offset(offset)
        return await self._found(query if category is None else query.where(products.c.category == category))

    async def product(self, product_id: str) -> Product | None:
        """By primary key."""
        found = await self._found(sa.select(products).where(products.c.id == product_id))
        return found[0] if found else None

    async def search(self, text: str, *, limit: int) -> Sequence[Product]:
        """A scan: the catalogue is small, and its answers are cached."""
        fits = products.c.name.icontains(text, autoescape=True) | products.c.description.icontains(
            text, autoescape=True
        )
        return await self._found(sa.select(products).where(fits).order_by(products.c.id).limit(limit))

    async def _found(self, query: sa.Select[Any]) -> Sequence[Product]:
        async def work(connection: AsyncConnection) -> Sequence[Product]:
            return [Product(**row) for row in (await connection.execute(query)).mappings()]

        return await self._database.read(work)


class PostgresAccounts:
    """See ports.Accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User) -> bool:
        """The unique address decides between two at once; our own first attempt is no rival."""

        async def work(connection: AsyncConnection) -> bool:
            await connection.execute(insert(users).values(vars(user)).on_conflict_do_nothing())
            query = sa.select(users.c.id).where(users.c.email == user.email)
            return (await connection.execute(query)).scalar_one_or_none() == user.id

        return await self._database.write(work)

    async def by_email(self, email: str) -> User | None:
        """By the unique index."""

        async def work(connection: AsyncConnection) -> User | None:
            query = sa.select(users).where(users.c.email == email)
            row = (await connection.execute(query)).mappings().first()
            return None if row is None else User(**row)

        return await self._database.read(work)

    async def cart(self, user: UUID) -> Sequence[Line]:
        """In the order of the products' ids."""

        async def work(connection: AsyncConnection) -> Sequence[Line]:
            query = (
                sa.select(products.c.id, products.c.name, cart_items.c.quantity, products.c.price)
                .join(products, products.c.id == cart_items.c.product_id)
                .where(cart_items.c.user_id == user)
                .order_by(products.c.id)
            )
            return [Line(*row) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def put(self, user: UUID, product_id: str, quantity: int) -> bool:
        """One statement, so it needs no transaction of its own."""
        mine = cart_items.c.user_id == user
        if quantity == 0:
            gone = sa.delete(cart_items).where(mine, cart_items.c.product_id == product_id)
            await self._changed(gone)
            return True
        others = (
            sa.select(sa.func.count())
            .select_from(cart_items)
            .where(mine, cart_items.c.product_id != product_id)
        )
        source = sa.select(
            sa.literal(user, sa.Uuid), products.c.id, sa.literal(quantity, sa.SmallInteger)
        ).where(products.c.id == product_id, others.scalar_subquery() < MOST_LINES)
        added = insert(cart_items).from_select(["user_id", "product_id", "quantity"], source)
        row = [cart_items.c.user_id, cart_items.c.product_id]
        return await self._changed(
            added.on_conflict_do_update(index_elements=row, set_={"quantity": added.excluded.quantity})
        )

    async def _changed(self, statement: Any) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(statement)).rowcount)

        return await self._database.read(work)
