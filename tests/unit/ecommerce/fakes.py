"""Fakes of the shop: books in dictionaries, and peers that do as they are told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.ecommerce import seed
from services.ecommerce.books import STATUS_CODES
from services.ecommerce.domain import (
    Label,
    Line,
    OrderStatus,
    Outcome,
    Product,
    Purchase,
    Step,
    User,
    Verdict,
    first_order_status,
)
from services.ecommerce.ports import (
    CacheUnavailableError,
    Confirmation,
    Kept,
    OrderView,
    Quote,
    Settled,
    StoreUnavailableError,
    Waiting,
)

MOMENT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PRODUCTS = {product.id: product for product in seed.products(7)}
CALM = Verdict("approve", "low", 4.0)


@dataclass
class FakeSetup:
    """Prepared, unless `down`."""

    down: bool = False

    async def prepare(self) -> bytes:
        await self.check()
        return b"k" * 32

    async def check(self) -> None:
        if self.down:
            raise StoreUnavailableError("the fake is down")


@dataclass
class FakeCatalogue:
    """The seeded products; remembers how often it was asked."""

    down: bool = False
    asked: int = 0
    broken: Exception | None = None

    async def products(self, *, category: str | None, limit: int, offset: int) -> Sequence[Product]:
        self._ask()
        found = [one for one in PRODUCTS.values() if category in (None, one.category)]
        return found[offset : offset + limit]

    async def product(self, product_id: str) -> Product | None:
        self._ask()
        return PRODUCTS.get(product_id)

    async def search(self, text: str, *, limit: int) -> Sequence[Product]:
        self._ask()
        return [one for one in PRODUCTS.values() if text in one.name.lower()][:limit]

    def _ask(self) -> None:
        self.asked += 1
        if self.broken:
            raise self.broken
        if self.down:
            raise StoreUnavailableError("the fake is down")


@dataclass
class FakeAccounts:
    """Users and carts."""

    users: dict[str, User] = field(default_factory=dict)
    carts: dict[UUID, dict[str, int]] = field(default_factory=dict)

    async def add(self, user: User) -> bool:
        return self.users.setdefault(user.email, user) is user

    async def by_email(self, email: str) -> User | None:
        return self.users.get(email)

    async def cart(self, user: UUID) -> Sequence[Line]:
        return [priced(product, quantity) for product, quantity in self.carts.get(user, {}).items()]

    async def put(self, user: UUID, product_id: str, quantity: int) -> bool:
        if product_id not in PRODUCTS:
            return False
        cart = self.carts.setdefault(user, {})
        cart[product_id] = quantity
        if quantity == 0:
            del cart[product_id]
        return True


@dataclass
class FakeBooks:
    """Purchases by buyer and key; `placing` is set to let them be written down."""

    accounts: FakeAccounts
    bought: dict[tuple[UUID, str], Purchase] = field(default_factory=dict)
    down: bool = False
    trouble: Any = "database"
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)
    moves: list[Mapping[OrderStatus, int]] = field(default_factory=list)
    due: list[Waiting] = field(default_factory=list)
    broken: Exception | None = None

    async def quote(self, buyer: UUID, key: str, wanted: Mapping[str, int] | None) -> Quote:
        await self._answer()
        cart = self.accounts.carts.get(buyer, {}) if wanted is None else wanted
        lines = [priced(product, quantity) for product, quantity in cart.items() if product in PRODUCTS]
        earlier = self.bought.get((buyer, key))
        return Quote(lines, kept(earlier) if earlier else None)

    async def place(self, purchase: Purchase, *, step: Step) -> Kept:
        with step("charge"):
            await self._answer()
        with step("commit"):
            return kept(self.bought.setdefault((purchase.buyer, purchase.key), purchase))

    async def order(self, order_id: UUID) -> OrderView | None:
        await self._answer()
        return next((self._view(one) for one in self.bought.values() if one.order_id == order_id), None)

    async def orders(self, buyer: UUID, *, limit: int) -> Sequence[OrderView]:
        await self._answer()
        return [self._view(one) for one in self.bought.values() if one.buyer == buyer][:limit]

    async def confirm(self, payment_id: UUID, *, right: bool) -> Confirmation | None:
        await self._answer()
        found = next((one for one in self.bought.values() if one.payment_id == payment_id), None)
        if found is None:
            return None
        now = self.outcomes.get(payment_id, found.outcome)
        if not right or now.reason != "authentication":
            return Confirmation(now.status, now.reason, found.order_id)
        settled = await self.settle(payment_id, Outcome("completed", "approved"), None)
        return Confirmation("completed", "approved", found.order_id, settled)

    async def advance(self, *, limit: int) -> Mapping[OrderStatus, int]:
        await self._answer()
        if self.broken:
            raise self.broken
        return self.moves.pop(0) if self.moves else {}

    async def waiting(self, *, limit: int) -> Sequence[Waiting]:
        await self._answer()
        due, self.due = self.due[:limit], self.due[limit:]
        return due

    async def settle(self, payment_id: UUID, outcome: Outcome, verdict: Verdict | None) -> Settled | None:
        self.outcomes[payment_id] = outcome
        status = first_order_status(outcome)
        return Settled(payment_id, UUID(int=1), UUID(int=2), 24_000, "credit_card", outcome, status)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailableError("the fake is down", trouble=self.trouble)

    def _view(self, purchase: Purchase) -> OrderView:
        outcome = self.outcomes.get(purchase.payment_id, purchase.outcome)
        return OrderView(
            purchase.order_id, purchase.buyer, first_order_status(outcome), purchase.amount, purchase.items,
            MOMENT, MOMENT, purchase.payment_id, outcome.status, outcome.reason, purchase.method,
            purchase.lines,
        )  # fmt: skip


@dataclass
class FakeCache:
    """A dictionary that can be off."""

    kept: dict[str, bytes] = field(default_factory=dict)
    off: bool = False

    async def get(self, key: str) -> bytes | None:
        self._check()
        return self.kept.get(key)

    async def put(self, items: Mapping[str, bytes]) -> None:
        self._check()
        self.kept.update(items)

    def _check(self) -> None:
        if self.off:
            raise CacheUnavailableError("the fake is off")


@dataclass
class FakeFraud:
    """Gives `answer` after `seconds`, or raises it; remembers what it was asked."""

    answer: Verdict | Exception = CALM
    seconds: float = 0.0
    says: Label | Exception | None = None
    asked: list[Mapping[str, object]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def evaluate(self, evaluation: Mapping[str, object]) -> Verdict:
        self.asked.append(evaluation)
        self.called.set()
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def label(self, transaction_id: str) -> Label | None:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class FakePasswords:
    """Hashes by writing "hashed" before."""

    async def hash(self, password: str) -> str:
        return f"hashed {password}"

    async def fits(self, password: str, hashed: str | None) -> bool:
        return hashed == f"hashed {password}"


@dataclass
class FakeSwitch:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, float | int | str]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, float | int | str] | None:
        return self.set.get(name)


def priced(product_id: str, quantity: int) -> Line:
    """A line of a seeded product."""
    product = PRODUCTS[product_id]
    return Line(product_id, product.name, quantity, product.price)


def kept(purchase: Purchase) -> Kept:
    """As the books keep it."""
    code = STATUS_CODES[purchase.outcome.status]
    return Kept(purchase.order_id, purchase.payment_id, purchase.fingerprint, code, purchase.answer)
