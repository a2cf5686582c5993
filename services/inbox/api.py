"""The routes of the inbox: take, list and forget messages."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from services.inbox.domain import Kind, RefusedMessageError, Status, Stored, Wanted
from services.inbox.heartbeat_api import heartbeat_routes
from services.inbox.listening import Listener
from services.inbox.page_api import LARGEST_ID, page_routes
from services.inbox.pagerduty_api import pagerduty_routes
from services.inbox.ports import Messages
from services.inbox.runbooks import Library
from services.inbox.sentry_api import sentry_routes
from services.inbox.signals import Signals
from services.inbox.slack import parse_slack
from services.inbox.taking import Take, available, status_of
from services.inbox.webhook import parse_webhook
from telemetry.errors import ClientError

LISTED = 100

Name = Annotated[str | None, Query(max_length=200)]


def routes(
    messages: Messages, signals: Signals, *, take: Take, listener: Listener, library: Library
) -> APIRouter:
    """Every route of the inbox but those of the telemetry library."""
    router = APIRouter()
    _incoming(router, take)
    router.include_router(pagerduty_routes(take))
    router.include_router(sentry_routes(take, signals))
    router.include_router(heartbeat_routes(listener, signals))
    _listing(router, messages, signals)
    router.include_router(page_routes(messages, listener, library))
    return router


def _incoming(router: APIRouter, take: Take) -> None:
    async def slack(request: Request, channel: str | None, receiver: str | None) -> Response:
        try:
            await take(Kind.SLACK, request, lambda body: parse_slack(body, channel, receiver))
        except RefusedMessageError as refusal:
            return PlainTextResponse(refusal.reason.value, status_code=status_of(refusal))
        return PlainTextResponse("ok")

    @router.post("/slack", response_class=PlainTextResponse)
    async def slack_by_payload(request: Request, receiver: Name = None) -> Response:
        """A Slack message whose payload names the channel; answers "ok", or Slack's error word."""
        return await slack(request, None, receiver)

    @router.post("/slack/{channel}", response_class=PlainTextResponse)
    async def slack_by_path(channel: str, request: Request, receiver: Name = None) -> Response:
        """A Slack message, like an incoming webhook of Slack's; answers "ok", or Slack's error word."""
        return await slack(request, channel, receiver)

    @router.post("/webhook/{receiver}")
    async def webhook(receiver: str, request: Request) -> Response:
        """Alertmanager's native webhook, version 4, or Grafana's, version 1."""
        try:
            stored = await take(Kind.WEBHOOK, request, lambda body: parse_webhook(body, receiver))
        except RefusedMessageError as refusal:
            raise ClientError(status_of(refusal), refusal.reason.value, str(refusal)) from None
        return JSONResponse({"id": stored.id})


def _listing(router: APIRouter, messages: Messages, signals: Signals) -> None:
    @router.get("/api/v1/messages")
    async def find(
        *,
        receiver: Name = None,
        channel: Name = None,
        alertname: Name = None,
        status: Status | None = None,
        kind: Kind | None = None,
        since: Annotated[float | None, Query(allow_inf_nan=False)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = LISTED,
    ) -> Response:
        """The messages that match, newest first; `since` in seconds since 1970, exclusive."""
        wanted = Wanted(receiver, channel, alertname, status, kind, since, limit)
        found = await available(messages.find(wanted))
        total = await available(messages.count())
        return JSONResponse({"total": total, "messages": [_shown(stored) for stored in found]})

    @router.get("/api/v1/messages/{message_id}")
    async def get(message_id: Annotated[int, PathParameter(ge=1, le=LARGEST_ID)]) -> Response:
        """One message with its payload as it came."""
        stored = await available(messages.get(message_id))
        if stored is None:
            raise ClientError(
                404, "not_found", f"no message {message_id}; it may have given way to newer ones"
            )
        return JSONResponse({**_shown(stored), "raw": stored.message.raw})

    @router.delete("/api/v1/messages")
    async def clear(x_confirm: Annotated[str, Header()] = "") -> Response:
        """Forget all messages; needs the header X-Confirm: delete."""
        if x_confirm != "delete":
            raise ClientError(
                400, "not_confirmed", "to delete all messages send the header X-Confirm: delete"
            )
        deleted = await available(messages.clear())
        signals.cleared(deleted)
        return JSONResponse({"deleted": deleted})


def _shown(stored: Stored) -> Mapping[str, Any]:
    message = stored.message
    return {
        "id": stored.id,
        "received_at": stored.received_at,
        "received_at_ns": stored.received_ns,
        "kind": message.kind.value,
        "receiver": message.receiver,
        "channel": message.channel,
        "status": message.status.value,
        "severity": message.severity,
        "title": message.title,
        "text": message.text,
        "alertname": message.alertnames[0] if message.alertnames else None,
        "alertnames": list(message.alertnames),
        "labels": dict(message.labels),
        "links": [{"label": link.label, "url": link.url} for link in message.links],
        "alerts": [
            {
                "alertname": alert.name,
                "status": alert.status.value,
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "starts_at": alert.starts_at,
                "ends_at": alert.ends_at,
                "fingerprint": alert.fingerprint,
                "generator_url": alert.generator_url,
            }
            for alert in message.alerts
        ],
    }
