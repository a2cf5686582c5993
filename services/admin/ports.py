"""What the back office needs of the world, as Protocols, and how each part says that it cannot.

AdminError
├── StoreUnavailableError  no review can be kept or read
└── FdsUnavailableError    fds cannot be asked or told now; later it may
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.admin.domain import (
    Accepted,
    Case,
    Decision,
    Delivery,
    Kept,
    Kind,
    Overview,
    Review,
    Verdict,
    Waiting,
)


class AdminError(Exception):
    """Anything that this service's adapters raise."""


class StoreUnavailableError(AdminError):
    """PostgreSQL does not answer, or not in time."""


class FdsUnavailableError(AdminError):
    """fds does not answer, not in time, or not with sense."""


@dataclass(frozen=True)
class Progress:
    """How far cases were taken in: up to when, and how many of each kind are open."""

    held_until: datetime | None
    held: int
    spot_checks: int


@dataclass(frozen=True)
class Filter:
    """Which reviews to list; None matches all."""

    verdict: Verdict | None = None
    delivery: Delivery | None = None
    reviewer: str | None = None
    limit: int = 50


class ReviewStore(Protocol):
    """Cases and reviews for good. Every method raises StoreUnavailableError, and none waits for ever."""

    async def prepare(self) -> None:
        """Make tables where they are missing."""

    async def check(self) -> None:
        """Return if the store answers."""

    async def progress(self) -> Progress:
        """How far cases were taken in."""

    async def take_in(self, cases: Sequence[Case], *, held_until: datetime | None) -> Mapping[Kind, int]:
        """Queue cases that are not known yet, and remember how far that goes; gives how many were new."""

    async def queue(self, *, kind: Kind | None, limit: int) -> Sequence[Waiting]:
        """The open cases, longest waiting first."""

    async def accept(self, review: Review) -> Accepted:
        """Keep a review and close its case, together; gives the kept one, which may be an earlier one."""

    async def find(self, transaction_id: str) -> Kept | None:
        """The review of a transaction."""

    async def reviews(self, wanted: Filter) -> Sequence[Kept]:
        """The newest reviews that match."""

    async def claim(self, *, limit: int, lease_seconds: float) -> Sequence[Kept]:
        """Pending reviews whose turn it is; for `lease_seconds` nobody else gets them."""

    async def settle(self, transaction_id: str, delivery: Delivery) -> None:
        """A claimed review has reached fds, or never will."""

    async def postpone(self, transaction_ids: Sequence[str], *, seconds: float) -> None:
        """Claimed reviews could not be delivered: try again after `seconds`."""

    async def overview(self) -> Overview:
        """What waits now."""

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """The reviews of the last 24 hours by verdict, kind, reviewer and delivery."""


class FraudService(Protocol):
    """fds as the back office uses it. Every method raises FdsUnavailableError."""

    async def cases(self, decision: Decision, *, limit: int, since: datetime | None = None) -> Sequence[Case]:
        """Evaluations without a label: the newest, or from `since` on the oldest first."""

    async def label(self, transaction_id: str, verdict: Verdict) -> Delivery:
        """Say what a transaction was; the same again does no harm. Never gives "pending"."""
