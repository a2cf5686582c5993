"""The route that takes events as PagerDuty's Events API v2 does."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from services.inbox.domain import Kind, Message, Refusal, RefusedMessageError
from services.inbox.pagerduty import parse_event
from services.inbox.taking import Take, status_of


def pagerduty_routes(take: Take) -> APIRouter:
    """A receiver may stand in the query; Alertmanager's custom_details name it otherwise."""
    router = APIRouter()

    @router.post("/v2/enqueue")
    async def enqueue(
        request: Request, receiver: Annotated[str | None, Query(max_length=200)] = None
    ) -> Response:
        """An event; 202 with its dedup_key, or 400 in PagerDuty's words."""
        keys: list[str] = []

        def parse(body: bytes) -> Message:
            event = parse_event(body, receiver)
            keys.append(event.dedup_key)
            return event.message

        try:
            await take(Kind.PAGERDUTY, request, parse)
        except RefusedMessageError as refusal:
            if refusal.reason is Refusal.TOO_LARGE:
                return JSONResponse({"status": "payload too large"}, status_code=status_of(refusal))
            told = {"status": "invalid event", "message": "Event object is invalid", "errors": [str(refusal)]}
            return JSONResponse(told, status_code=400)
        told = {"status": "success", "message": "Event processed", "dedup_key": keys[0]}
        return JSONResponse(told, status_code=202)

    return router
