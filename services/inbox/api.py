"""The routes of the inbox: take, list, show and forget messages, and show runbooks."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from services.inbox.domain import Kind, RefusedMessageError, Status, Stored, Wanted
from services.inbox.page import Page, inbox_page, missing_page, runbook_page
from services.inbox.ports import Messages
from services.inbox.runbooks import read_runbook, runbook_file
from services.inbox.sentry_api import sentry_routes
from services.inbox.signals import Signals
from services.inbox.slack import parse_slack
from services.inbox.taking import Take, available, status_of
from services.inbox.webhook import parse_webhook
from telemetry.errors import ClientError

PAGE_MESSAGES = 100
LARGEST_ID = 2**63 - 1  # what an SQLite integer holds

Name = Annotated[str | None, Query(max_length=200)]


def routes(
    messages: Messages, signals: Signals, *, runbooks: Path, clock_ns: Callable[[], int] = time.time_ns
) -> APIRouter:
    """Every route of the inbox but those of the telemetry library."""
    router = APIRouter()
    take = Take(messages, signals, clock_ns)
    _incoming(router, take)
    router.include_router(sentry_routes(take, signals))
    _listing(router, messages, signals)
    _pages(router, messages, runbooks)
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
        """Alertmanager's native webhook, version 4."""
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
        limit: Annotated[int, Query(ge=1, le=1000)] = PAGE_MESSAGES,
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


def _pages(router: APIRouter, messages: Messages, runbooks: Path) -> None:
    @router.get("/", response_class=HTMLResponse)
    async def page(status: Status | None = None, kind: Kind | None = None) -> Response:
        """The messages for people."""
        found = await available(messages.find(Wanted(status=status, kind=kind, limit=PAGE_MESSAGES)))
        # Apart, for a flood of events must not hide what is firing.
        alerts = await available(messages.find(Wanted(without=Kind.SENTRY, limit=PAGE_MESSAGES)))
        total = await available(messages.count())
        return _html(inbox_page(found, alerts=alerts, total=total, status=status, kind=kind))

    @router.get("/runbooks/{service}/{alert}", response_class=HTMLResponse)
    async def runbook(service: str, alert: str) -> Response:
        """The runbook that the annotations of an alert link to."""
        path = await run_in_threadpool(runbook_file, runbooks, service, alert)
        if path is None:
            return _html(missing_page(f"the runbook {service}/{alert}"), status=404)
        return _html(runbook_page(service, alert, await run_in_threadpool(read_runbook, path)))


def _html(page: Page, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page.html, status_code=status, headers=dict(page.headers))


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
