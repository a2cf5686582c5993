"""What reviewers send and get."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from services.admin.domain import Accepted, Delivery, Kept, Kind, Reviewer, Verdict, Waiting
from telemetry.text import SafeText

TRANSACTION_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$"
REVIEWER_ID: Final = r"^[a-z][a-z0-9-]{0,63}$"


class NewReview(BaseModel):
    """A verdict. `reviewer` may also stand in the header X-Reviewer; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    transaction_id: Annotated[str, Field(pattern=TRANSACTION_ID)]
    verdict: Verdict
    reviewer: Annotated[str | None, Field(pattern=REVIEWER_ID)] = None
    note: Annotated[SafeText, Field(max_length=1000)] = ""


class ReviewShown(BaseModel):
    """A stored review; `delivery` says whether fds knows it."""

    transaction_id: str
    verdict: Verdict
    reviewer: str
    note: str
    kind: Kind
    delivery: Delivery
    attempts: int
    created_at: datetime
    delivered_at: datetime | None
    trace_id: str | None

    @classmethod
    def of(cls, kept: Kept) -> "ReviewShown":
        """As it is shown."""
        review = kept.review
        return cls(
            transaction_id=review.transaction_id,
            verdict=review.verdict,
            reviewer=review.reviewer,
            note=review.note,
            kind=kept.kind,
            delivery=kept.delivery,
            attempts=kept.attempts,
            created_at=kept.created_at,
            delivered_at=kept.delivered_at,
            trace_id=review.trace_id,
        )


class ReviewAnswer(ReviewShown):
    """The answer to a verdict; `repeated` when it was stored before."""

    repeated: bool

    @classmethod
    def to(cls, accepted: Accepted) -> "ReviewAnswer":
        """As it is answered."""
        return cls(**ReviewShown.of(accepted.kept).model_dump(), repeated=not accepted.fresh)


class CaseShown(BaseModel):
    """A case in the queue."""

    transaction_id: str
    kind: Kind
    decision: str
    risk_score: float
    factors: list[str]
    facts: dict[str, object]
    evaluated_at: datetime
    queued_at: datetime
    waiting_seconds: float

    @classmethod
    def of(cls, waiting: Waiting) -> "CaseShown":
        """As it is shown."""
        case = waiting.case
        return cls(
            transaction_id=case.transaction_id,
            kind=case.kind,
            decision=case.decision,
            risk_score=case.risk_score,
            factors=list(case.factors),
            facts=dict(case.facts),
            evaluated_at=case.evaluated_at,
            queued_at=waiting.queued_at,
            waiting_seconds=round(waiting.seconds, 1),
        )


class Queue(BaseModel):
    """The open cases, longest waiting first."""

    cases: list[CaseShown]


class Reviews(BaseModel):
    """Reviews, newest first."""

    reviews: list[ReviewShown]


class ReviewerShown(BaseModel):
    """Someone who may decide."""

    id: str
    name: str
    team: str

    @classmethod
    def of(cls, reviewer: Reviewer) -> "ReviewerShown":
        """As it is shown."""
        return cls(id=reviewer.id, name=reviewer.name, team=reviewer.team)


class Reviewers(BaseModel):
    """Everyone who may decide."""

    reviewers: list[ReviewerShown]


class Stats(BaseModel):
    """What waits now, and what was reviewed in the last 24 hours."""

    queue: dict[str, float]
    deliveries: dict[str, float]
    last_24_hours: dict[str, dict[str, int]]
