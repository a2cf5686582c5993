"""What the evaluation needs of the world, as Protocols, and how each part says that it cannot.

FdsError
├── StoreUnavailableError         no evaluation can be read or kept
├── VelocityUnavailableError      counters cannot be read; rules go on without them
├── IntelligenceUnavailableError  the threat feed cannot be asked; the evaluation goes on without it
└── ModelUnavailableError         the model server cannot be asked; the evaluation goes on with the own copy
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.fds.domain import Decision, Indicator, IndicatorKind, Prediction, Transaction, Velocity
from services.fds.quality import Label, Outcome


class FdsError(Exception):
    """Anything that this service's adapters raise."""


class StoreUnavailableError(FdsError):
    """PostgreSQL does not answer, or not in time."""


class VelocityUnavailableError(FdsError):
    """Redis does not answer, or not in time."""


class IntelligenceUnavailableError(FdsError):
    """The threat feed does not answer."""


class ModelUnavailableError(FdsError):
    """The model server does not answer, not in time, or not with a score."""


@dataclass(frozen=True)
class Kept:
    """A stored evaluation: `request` and `answer` are JSON objects; `fingerprint` is the request's digest."""

    transaction_id: str
    evaluation_id: str
    fingerprint: str
    decision: Decision
    risk_score: float
    request: Mapping[str, object]
    answer: Mapping[str, object]
    created_at: datetime
    label: Label | None = None
    labelled_at: datetime | None = None


@dataclass(frozen=True)
class Labelling:
    """What became of a label: the kept evaluation and whether this call set the label."""

    kept: Kept
    changed: bool


@dataclass(frozen=True)
class PastCases:
    """The last labelled cases, oldest first: `stopped` are TP and FP, `fraud` are TP and FN."""

    stopped: Sequence[Outcome] = field(default=())
    fraud: Sequence[Outcome] = field(default=())


class EvaluationStore(Protocol):
    """Evaluations for good. Every method raises StoreUnavailableError, and none waits for ever."""

    async def prepare(self) -> PastCases:
        """Make tables where they are missing and read back the last labelled cases."""

    async def check(self) -> None:
        """Return if the store answers."""

    async def find(self, transaction_id: str) -> Kept | None:
        """The evaluation of a transaction."""

    async def add(self, kept: Kept) -> Kept:
        """Keep an evaluation; gives the one that is kept, which is another caller's if that came first."""

    async def label(self, transaction_id: str, label: Label) -> Labelling | None:
        """Label an evaluation that has no label yet; None when there is no such transaction."""

    async def latest(
        self, *, decision: Decision | None, unlabelled: bool, limit: int, since: datetime | None = None
    ) -> Sequence[Kept]:
        """The newest evaluations first; with `since` those from then on, oldest first."""


class VelocityCounter(Protocol):
    """Counters over the last minute and hour."""

    async def count(self, transaction: Transaction) -> Velocity:
        """Count `transaction` and give the counters with it. Raises VelocityUnavailableError."""


class ThreatFeed(Protocol):
    """Known bad addresses, devices and e-mail domains."""

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """The indicators that match. Raises IntelligenceUnavailableError."""


class Scorer(Protocol):
    """A fraud model."""

    @property
    def version(self) -> str:
        """Which model it is, when no prediction says it."""

    async def predict(self, transaction: Transaction) -> Prediction:
        """How likely a transaction is fraud. One that is a peer raises ModelUnavailableError."""
