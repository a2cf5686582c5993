"""What the shop needs of the world, as Protocols, and how each part says that it cannot.

ShopError
├── StoreUnavailableError   PostgreSQL does not answer, or not in time
├── CacheUnavailableError   Redis does not answer; reads go on in PostgreSQL
├── FraudUnavailableError   fds does not answer; the payment is decided by policy
│   └── FraudRefusedError   fds answers, but not with a verdict: no reason to leave it alone
└── BusyError               more passwords wait to be hashed than is good
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from services.ecommerce.domain import (
    Label,
    Line,
    OrderStatus,
    Outcome,
    PaymentMethod,
    PaymentStatus,
    Product,
    Purchase,
    Reason,
    RiskLevel,
    Step,
    User,
    Verdict,
)

StoreTrouble = Literal["database", "pool"]


class ShopError(Exception):
    """Anything that this service's adapters raise."""


class StoreUnavailableError(ShopError):
    """PostgreSQL does not answer in time, or (`trouble` pool) every connection is taken."""

    def __init__(self, reason: str, *, trouble: StoreTrouble = "database") -> None:
        super().__init__(reason)
        self.trouble: StoreTrouble = trouble


class CacheUnavailableError(ShopError):
    """Redis does not answer, or not in time."""


class FraudUnavailableError(ShopError):
    """fds does not answer, not in time, or not with a verdict."""


class FraudRefusedError(FraudUnavailableError):
    """fds refuses this one request."""


class BusyError(ShopError):
    """Too many passwords wait to be hashed."""


@dataclass(frozen=True)
class Kept:
    """A payment in the books and the answer that its first caller got."""

    order_id: UUID
    payment_id: UUID
    fingerprint: str
    status_code: int
    answer: Mapping[str, object]


@dataclass(frozen=True)
class Quote:
    """The lines at today's prices, or the purchase that was already made under the same key."""

    lines: Sequence[Line]
    kept: Kept | None


@dataclass(frozen=True)
class OrderView:
    """An order with its payment, as it stands now."""

    id: UUID
    buyer: UUID
    status: OrderStatus
    amount: int
    items: int
    created_at: datetime
    updated_at: datetime
    payment_id: UUID
    payment_status: PaymentStatus
    payment_reason: Reason
    payment_method: PaymentMethod
    lines: Sequence[Line] = ()


@dataclass(frozen=True)
class Waiting:
    """A pending payment that is due to be looked at."""

    payment_id: UUID
    amount: int
    reason: Reason
    evaluation: Mapping[str, object]


@dataclass(frozen=True)
class Settled:
    """A payment that left the state pending, with its order's state afterwards.

    `risk_level` is None when fds never had a say.
    """

    payment_id: UUID
    order_id: UUID
    buyer: UUID
    amount: int
    method: PaymentMethod
    outcome: Outcome
    order_status: OrderStatus
    risk_level: RiskLevel | None = None


@dataclass(frozen=True)
class Confirmation:
    """What became of a confirmation: the payment as it stands, and what this call settled."""

    status: PaymentStatus
    reason: Reason
    order_id: UUID
    settled: Settled | None = None


class Catalogue(Protocol):
    """Products. Every method of this and the next two raises StoreUnavailableError, none waits for ever."""

    async def products(self, *, category: str | None, limit: int, offset: int) -> Sequence[Product]:
        """In the order of their ids."""

    async def product(self, product_id: str) -> Product | None:
        """One."""

    async def search(self, text: str, *, limit: int) -> Sequence[Product]:
        """Those whose name or description contains `text`, whatever its case."""


class Accounts(Protocol):
    """Users and their carts."""

    async def add(self, user: User) -> bool:
        """Whether the user was added: not when the e-mail address is taken by another."""

    async def by_email(self, email: str) -> User | None:
        """The user with this address in lower case."""

    async def cart(self, user: UUID) -> Sequence[Line]:
        """At today's prices."""

    async def put(self, user: UUID, product_id: str, quantity: int) -> bool:
        """Have `quantity` (0: none) of a product in the cart; False if it is unknown or there is no room."""


class Books(Protocol):
    """Orders and payments."""

    async def quote(self, buyer: UUID, key: str, wanted: Mapping[str, int] | None) -> Quote:
        """Prices of what is wanted (None: the cart), and what was bought under this key."""

    async def place(self, purchase: Purchase, *, step: Step) -> Kept:
        """Write payment and order, all or nothing; gives the one in the books, perhaps another caller's."""

    async def order(self, order_id: UUID) -> OrderView | None:
        """One, with its lines."""

    async def orders(self, buyer: UUID, *, limit: int) -> Sequence[OrderView]:
        """A buyer's, newest first, without lines."""

    async def confirm(self, payment_id: UUID, *, right: bool) -> Confirmation | None:
        """Count a code, right or wrong, for a payment that waits for one; None for an unknown payment."""

    async def advance(self, *, limit: int) -> Mapping[OrderStatus, int]:
        """Move orders that are due, at most `limit`: how many came into which state."""

    async def waiting(self, *, limit: int) -> Sequence[Waiting]:
        """Pending payments to be looked at now, each for one worker only."""

    async def settle(self, payment_id: UUID, outcome: Outcome, verdict: Verdict | None) -> Settled | None:
        """Give a pending payment its outcome, which may be pending for another reason; None if it is over."""


class Setup(Protocol):
    """The database as a whole."""

    async def prepare(self) -> bytes:
        """Bring the schema up to date, add the seed data where it is missing, give the signing key."""

    async def check(self) -> None:
        """Return if the database answers."""


class Cache(Protocol):
    """Bodies of catalogue answers."""

    async def get(self, key: str) -> bytes | None:
        """What is kept. Raises CacheUnavailableError."""

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Keep for a while. Raises CacheUnavailableError."""


class Fraud(Protocol):
    """The fraud detection service. Both raise FraudUnavailableError."""

    async def evaluate(self, evaluation: Mapping[str, object]) -> Verdict:
        """The verdict; asked again with the same values, the same one."""

    async def label(self, transaction_id: str) -> Label | None:
        """What a reviewer said of an evaluated transaction, if anything."""


class Passwords(Protocol):
    """Hashes passwords without standing in the way of requests. Both raise BusyError."""

    async def hash(self, password: str) -> str:
        """Salted, with the parameters in it."""

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Whether the password is right; with None as slow as with a hash, and False."""
