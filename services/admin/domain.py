"""What a review is: cases that wait, reviewers, verdicts, and what becomes of a verdict in fds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Verdict = Literal["fraud", "legitimate"]
Kind = Literal["held", "spot_check", "reported"]
Delivery = Literal["pending", "delivered", "conflict", "unknown", "refused"]
Decision = Literal["approve", "auth", "hold", "block"]

VERDICTS: Final[tuple[Verdict, ...]] = ("fraud", "legitimate")
KINDS: Final[tuple[Kind, ...]] = ("held", "spot_check", "reported")
DELIVERIES: Final[tuple[Delivery, ...]] = ("pending", "delivered", "conflict", "unknown", "refused")
DECISIONS: Final[tuple[Decision, ...]] = ("approve", "auth", "hold", "block")
FACTS: Final = (
    "amount", "payment_method", "country", "shipping_country", "billing_country", "items_count",
    "account_age_days",
)  # fmt: skip
"""What a reviewer sees of a payment. Nobody's name, address or card: a verdict does not need them."""

SPOT_CHECK_SHARE: Final = 0.1
"""Of the payments that were not held, so that errors in both directions are found; held are all reviewed."""


@dataclass(frozen=True)
class Reviewer:
    """Someone who may decide. Ids are a closed set: the demo has no passwords."""

    id: str
    name: str
    team: str


REVIEWERS: Final[Mapping[str, Reviewer]] = {
    one.id: one
    for one in (
        Reviewer("reviewer-kim", "Kim Mina", "first line"),
        Reviewer("reviewer-lee", "Lee Joon", "first line"),
        Reviewer("reviewer-park", "Park Sora", "first line"),
        Reviewer("reviewer-choi", "Choi Hana", "disputes"),
        Reviewer("firedrill-probe", "firedrill verify", "platform"),
    )
}


@dataclass(frozen=True)
class Case:
    """A payment that waits for a verdict, as fds evaluated it. `risk_score` is 0 to 100."""

    transaction_id: str
    kind: Kind
    decision: Decision
    risk_score: float
    factors: tuple[str, ...]
    facts: Mapping[str, object]
    evaluated_at: datetime


@dataclass(frozen=True)
class Waiting:
    """A case in the queue, and for how many seconds it has been there."""

    case: Case
    queued_at: datetime
    seconds: float


@dataclass(frozen=True)
class Review:
    """A verdict that somebody gave. The ids of its trace let the delivery point back at it."""

    transaction_id: str
    verdict: Verdict
    reviewer: str
    note: str = field(repr=False)
    trace_id: str | None = None
    span_id: str | None = None


@dataclass(frozen=True)
class Kept:
    """A stored review and how far its way to fds has got."""

    review: Review
    kind: Kind
    delivery: Delivery
    attempts: int
    created_at: datetime
    delivered_at: datetime | None = None


@dataclass(frozen=True)
class Accepted:
    """The fact that a verdict is stored. `waited_seconds` is None for a case that was not in the queue."""

    kept: Kept
    fresh: bool
    waited_seconds: float | None = None


@dataclass(frozen=True)
class Overview:
    """What waits now; ages in seconds, 0 where nothing waits."""

    held: int = 0
    spot_checks: int = 0
    oldest_case_seconds: float = 0.0
    pending: int = 0
    oldest_pending_seconds: float = 0.0

    @property
    def queue_length(self) -> int:
        """Cases that wait for a reviewer."""
        return self.held + self.spot_checks


def is_spot_check(transaction_id: str, *, seed: int, share: float = SPOT_CHECK_SHARE) -> bool:
    """Whether a payment that was not held is reviewed all the same; always the same for the same payment."""
    digest = hashlib.sha256(f"spot-{seed}-{transaction_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < share
