"""What a purchase is: lines and their price, what becomes of its payment, and how its order goes on."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

PaymentStatus = Literal["completed", "pending", "failed"]
OrderStatus = Literal["pending", "processing", "shipped", "delivered", "cancelled"]
PaymentMethod = Literal["credit_card", "debit_card", "bank_transfer", "mobile_wallet"]
Decision = Literal["approve", "auth", "hold", "block"]
RiskLevel = Literal["low", "medium", "high", "blocked"]
Label = Literal["fraud", "legitimate"]
Stage = Literal["validate", "fds", "charge", "commit"]
Reason = Literal[
    "approved", "small_amount", "authentication", "review", "fds_unavailable", "blocked", "rejected",
    "not_confirmed",
]  # fmt: skip

PAYMENT_STATUSES: Final[tuple[PaymentStatus, ...]] = ("completed", "pending", "failed")
ORDER_STATUSES: Final[tuple[OrderStatus, ...]] = (
    "pending", "processing", "shipped", "delivered", "cancelled",
)  # fmt: skip
PAYMENT_METHODS: Final[tuple[PaymentMethod, ...]] = (
    "credit_card", "debit_card", "bank_transfer", "mobile_wallet",
)  # fmt: skip
DECISIONS: Final[tuple[Decision, ...]] = ("approve", "auth", "hold", "block")
RISK_LEVELS: Final[tuple[RiskLevel, ...]] = ("low", "medium", "high", "blocked")
STAGES: Final[tuple[Stage, ...]] = ("validate", "fds", "charge", "commit")

NEXT_STATUS: Final[Mapping[OrderStatus, OrderStatus]] = {
    "pending": "processing", "processing": "shipped", "shipped": "delivered",
}  # fmt: skip
"""A delivered order stays, and so does a cancelled one."""

MOST_LINES: Final = 50
MOST_OF_ONE: Final = 99
MOST_KRW: Final = 10_000_000_000
"""The largest amount that fds evaluates."""
WRONG_CODES: Final = 5
"""After so many wrong codes a payment fails: six digits cannot be guessed in five attempts."""

Step = Callable[[Stage], AbstractContextManager[object]]
"""Times and spans one stage of a purchase."""


@dataclass(frozen=True)
class Product:
    """Something for sale; `price` in KRW."""

    id: str
    name: str
    category: str
    description: str
    price: int


@dataclass(frozen=True)
class User:
    """A registered user; `email` in lower case."""

    id: UUID
    email: str
    name: str
    password_hash: str
    created_at: datetime


@dataclass(frozen=True)
class Buyer:
    """Who pays: a registered user, or a guest, whose account has no age."""

    id: UUID
    email_domain: str
    since: datetime | None = None


@dataclass(frozen=True)
class Line:
    """One product of a cart or an order, at the price of the moment in KRW."""

    product_id: str
    name: str
    quantity: int
    unit_price: int

    @property
    def amount(self) -> int:
        """KRW."""
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class Verdict:
    """What fds said; `score` is 0 to 100."""

    decision: Decision
    level: RiskLevel
    score: float


@dataclass(frozen=True)
class Outcome:
    """What becomes of a payment, and why."""

    status: PaymentStatus
    reason: Reason


@dataclass(frozen=True)
class Purchase:
    """A purchase that is decided and can be written down; `answer` is what every caller gets.

    `evaluation` is what fds was asked, kept to ask again. `from_cart` says that the cart is emptied.
    """

    order_id: UUID
    payment_id: UUID
    buyer: UUID
    key: str
    fingerprint: str
    lines: Sequence[Line]
    method: PaymentMethod
    outcome: Outcome
    verdict: Verdict | None
    evaluation: Mapping[str, object]
    answer: Mapping[str, object]
    from_cart: bool

    @property
    def amount(self) -> int:
        """KRW."""
        return total(self.lines)

    @property
    def items(self) -> int:
        """Pieces, not lines."""
        return pieces(self.lines)


_OUTCOMES: Final[Mapping[Decision, Outcome]] = {
    "approve": Outcome("completed", "approved"),
    "auth": Outcome("pending", "authentication"),
    "hold": Outcome("pending", "review"),
    "block": Outcome("failed", "blocked"),
}
_UNAVAILABLE_SMALL: Final = Outcome("completed", "small_amount")
_UNAVAILABLE_LARGE: Final = Outcome("pending", "fds_unavailable")


def decide(verdict: Verdict | None, *, amount: int, small_amount: int) -> Outcome:
    """What becomes of a payment of `amount` KRW.

    Without a verdict an amount up to `small_amount` is taken, at the shop's own risk, and a larger one
    waits until fds can be asked again. Neither is declined: the customer did nothing wrong.
    """
    if verdict is not None:
        return _OUTCOMES[verdict.decision]
    return _UNAVAILABLE_SMALL if amount <= small_amount else _UNAVAILABLE_LARGE


def reviewed(label: Label) -> Outcome:
    """What becomes of a held payment when a reviewer has said what it is."""
    return Outcome("completed", "approved") if label == "legitimate" else Outcome("failed", "rejected")


def first_order_status(outcome: Outcome) -> OrderStatus:
    """A declined purchase makes an order too, so that nothing asked for is without a trace."""
    return "cancelled" if outcome.status == "failed" else "pending"


def total(lines: Sequence[Line]) -> int:
    """KRW."""
    return sum(line.amount for line in lines)


def pieces(lines: Sequence[Line]) -> int:
    """How many things, not how many lines."""
    return sum(line.quantity for line in lines)


def merged(wanted: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Quantities by product: the same product twice is one line."""
    quantities: dict[str, int] = {}
    for product, quantity in wanted:
        quantities[product] = quantities.get(product, 0) + quantity
    return quantities


def fingerprint(value: object) -> str:
    """SHA-256 of a JSON value, the same however its object's keys are ordered."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
