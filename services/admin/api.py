"""Routes of admin: parse, decide who acts, store, record, respond."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Header, Query, Response

from services.admin.domain import REVIEWERS, Delivery, Kind, Review, Verdict
from services.admin.ports import Filter, ReviewStore, StoreUnavailableError
from services.admin.schemas import (
    REVIEWER_ID,
    TRANSACTION_ID,
    CaseShown,
    NewReview,
    Queue,
    ReviewAnswer,
    Reviewers,
    ReviewerShown,
    Reviews,
    ReviewShown,
    Stats,
)
from services.admin.signals import Signals
from telemetry.errors import ClientError, Unavailable

RETRY_AFTER_SECONDS: Final = 2
Limit = Annotated[int, Query(ge=1, le=200)]

T = TypeVar("T")


class Service:
    """What the routes share; `wake` tells the courier that there is something to deliver."""

    def __init__(self, store: ReviewStore, signals: Signals, *, wake: Callable[[], None]) -> None:
        self.store, self._signals, self._wake = store, signals, wake

    async def review(self, asked: NewReview, acting: str | None) -> ReviewAnswer:
        """Store a verdict; from then on it reaches fds, whatever happens to it or to us.

        The same verdict of the same reviewer again changes nothing. Raises ClientError and Unavailable.
        """
        reviewer = identified(asked.reviewer, acting)
        with self._signals.reviewing(asked.transaction_id, asked.verdict) as span:
            review = Review(
                asked.transaction_id, asked.verdict, reviewer, asked.note, span.trace_id, span.span_id
            )
            accepted = await self.asked(self.store.accept(review))
            kept = accepted.kept
            span.set("kind", kept.kind)
            span.set("repeated", not accepted.fresh)
            if accepted.fresh:
                self._signals.accepted(accepted)
                self._wake()
            elif (kept.review.verdict, kept.review.reviewer) != (review.verdict, reviewer):
                told = f"{kept.review.reviewer} decided {kept.review.verdict}"
                raise ClientError(409, "already_reviewed", f"{review.transaction_id}: {told}")
        return ReviewAnswer.to(accepted)

    async def asked(self, call: Awaitable[T]) -> T:
        """What the store answers; Unavailable when it does not."""
        try:
            return await call
        except StoreUnavailableError as error:
            raise Unavailable("review store", retry_after=RETRY_AFTER_SECONDS) from error


def identified(named: str | None, acting: str | None) -> str:
    """Who acts: the header and the body must agree. Raises ClientError (401, 403, 422)."""
    if named is not None and acting is not None and named != acting:
        raise ClientError(422, "two_reviewers", "X-Reviewer and the body name different reviewers")
    reviewer = acting or named
    if reviewer is None:
        raise ClientError(401, "no_reviewer", "say who reviews: header X-Reviewer, or reviewer in the body")
    if reviewer not in REVIEWERS:
        raise ClientError(403, "unknown_reviewer", "no such reviewer; GET /api/v1/admin/reviewers lists them")
    return reviewer


def routes(service: Service) -> APIRouter:
    """Everything below /api/v1/admin."""
    router = APIRouter(prefix="/api/v1/admin")
    _deciding(router, service)
    _reading(router, service)
    return router


def _deciding(router: APIRouter, service: Service) -> None:
    @router.post("/reviews", status_code=201, summary="Decide a case; 200 when it was decided so before")
    async def review(
        asked: NewReview,
        response: Response,
        x_reviewer: Annotated[str | None, Header(max_length=64, pattern=REVIEWER_ID)] = None,
    ) -> ReviewAnswer:
        answer = await service.review(asked, x_reviewer)
        response.status_code = 200 if answer.repeated else 201
        return answer

    @router.get("/queue", summary="Cases that wait, longest waiting first")
    async def queue(kind: Kind | None = None, limit: Limit = 50) -> Queue:
        found = await service.asked(service.store.queue(kind=kind, limit=limit))
        return Queue(cases=[CaseShown.of(waiting) for waiting in found])


def _reading(router: APIRouter, service: Service) -> None:
    @router.get("/reviews", summary="Reviews, newest first")
    async def reviews(
        verdict: Verdict | None = None,
        delivery: Delivery | None = None,
        reviewer: Annotated[str | None, Query(pattern=REVIEWER_ID)] = None,
        limit: Limit = 50,
    ) -> Reviews:
        wanted = Filter(verdict, delivery, reviewer, limit)
        found = await service.asked(service.store.reviews(wanted))
        return Reviews(reviews=[ReviewShown.of(kept) for kept in found])

    @router.get("/reviews/{transaction_id}", summary="The review of a transaction")
    async def one(transaction_id: str) -> ReviewShown:
        kept = None
        if re.fullmatch(TRANSACTION_ID, transaction_id):
            kept = await service.asked(service.store.find(transaction_id))
        if kept is None:
            raise ClientError(404, "unknown_review", "no such transaction was reviewed")
        return ReviewShown.of(kept)

    @router.get("/reviewers", summary="Everyone who may decide")
    async def reviewers() -> Reviewers:
        return Reviewers(reviewers=[ReviewerShown.of(one) for one in REVIEWERS.values()])

    @router.get("/stats", summary="What waits, and what was reviewed in the last 24 hours")
    async def stats() -> Stats:
        store = service.store  # both at once: one after the other could take twice the limit
        overview, counts = await service.asked(asyncio.gather(store.overview(), store.counts()))
        return Stats(
            queue={
                "length": overview.queue_length,
                "held": overview.held,
                "spot_checks": overview.spot_checks,
                "oldest_seconds": round(overview.oldest_case_seconds, 1),
            },
            deliveries={
                "pending": overview.pending,
                "oldest_seconds": round(overview.oldest_pending_seconds, 1),
            },
            last_24_hours={name: dict(found) for name, found in counts.items()},
        )
