"""The route that sentry-sdk sends to: as Sentry's own, and below /sentry for a DSN with that path."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from services.inbox.domain import Kind, Message, RefusedMessageError
from services.inbox.envelope import Envelope, check_auth, check_project, parse_envelope, unpacked
from services.inbox.sentry import event_message
from services.inbox.signals import Signals
from services.inbox.taking import Take, read_body, status_of
from telemetry.errors import ClientError


def sentry_routes(take: Take, signals: Signals) -> APIRouter:
    """A DSN http://<key>@inbox:8090/sentry/1 makes the SDK post to /sentry/api/1/envelope/."""
    router = APIRouter()

    @router.post("/api/{project}/envelope/")
    @router.post("/sentry/api/{project}/envelope/")
    async def envelope(project: str, request: Request) -> Response:
        """An envelope of Sentry's: its event is kept, everything else is counted only."""
        try:
            found, message = await _read(project, request)
        except RefusedMessageError as refusal:
            signals.refusal(Kind.SENTRY, refusal.reason, str(refusal))
            raise ClientError(status_of(refusal), refusal.reason.value, str(refusal)) from None
        if message is not None:
            await take.keep(message)
        signals.items(found.types)
        return JSONResponse({"id": found.event_id} if found.event_id else {})

    return router


async def _read(project: str, request: Request) -> tuple[Envelope, Message | None]:
    check_project(project)
    check_auth(request.headers, request.url.query)
    encoding = request.headers.get("content-encoding", "")
    body = await read_body(request)

    def parse() -> tuple[Envelope, Message | None]:  # megabytes of JSON take longer than others should wait
        found = parse_envelope(unpacked(body, encoding))
        return found, None if found.event is None else event_message(found.event, project)

    return await run_in_threadpool(parse)
