"""The routes of the heartbeat: Alertmanager's Watchdog comes in, what is known of it goes out."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from services.inbox.domain import Kind, RefusedMessageError, Status
from services.inbox.heartbeat import Pulse
from services.inbox.listening import Listener
from services.inbox.signals import Signals
from services.inbox.taking import available, read_body, status_of
from services.inbox.webhook import parse_webhook
from telemetry.errors import ClientError


def heartbeat_routes(listener: Listener, signals: Signals) -> APIRouter:
    """One heartbeat, whatever the receiver's name; it is no message and shows on top of the page instead."""
    router = APIRouter()

    @router.post("/heartbeat/{receiver}")
    async def beat(receiver: str, request: Request) -> Response:
        """Alertmanager's webhook, version 4, of an alert that always fires; a resolved one does not count."""
        try:
            message = parse_webhook(await read_body(request), receiver)
        except RefusedMessageError as refusal:
            signals.refusal(Kind.WEBHOOK, refusal.reason, str(refusal))
            raise ClientError(status_of(refusal), refusal.reason.value, str(refusal)) from None
        if message.status is Status.FIRING:
            await available(listener.beat())
        return JSONResponse({"counted": message.status is Status.FIRING})

    @router.get("/api/heartbeat")
    async def state() -> Response:
        """Whether it is alive, when it came last, and its silences, newest first; in seconds since 1970."""
        return JSONResponse(shown(await available(listener.pulse()), listener.now()))

    return router


def shown(pulse: Pulse, now: float) -> Mapping[str, Any]:
    """The heartbeat for programs; silent_seconds counts from the last one."""
    return {
        "alive": pulse.alive(now),
        "last_at": pulse.last,
        "silent_seconds": None if pulse.last is None else max(now - pulse.last, 0.0),
        "limit_seconds": pulse.limit,
        "silences": [{"from": one.began, "until": one.until} for one in reversed(pulse.silences)],
    }
