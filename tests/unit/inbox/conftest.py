"""Payloads as Alertmanager sends them, and an inbox in this process."""

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.inbox.app import create_app
from services.inbox.settings import Settings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

_WEBHOOK: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="JudgmentHighErrorRate"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "ai-factory-critical",
    "groupLabels": {"alertname": "JudgmentHighErrorRate"},
    "commonLabels": {"alertname": "JudgmentHighErrorRate", "severity": "critical", "service": "judgment"},
    "commonAnnotations": {},
    "externalURL": "http://127.0.0.1:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "JudgmentHighErrorRate", "severity": "critical", "service": "judgment"},
            "annotations": {
                "summary": "Judgment executions fail",
                "description": "37% of the executions end in an error.",
                "runbook_url": "http://127.0.0.1:8090/runbooks/judgment/JudgmentHighErrorRate",
                "dashboard_url": "http://127.0.0.1:3002/d/firedrill-start",
            },
            "startsAt": "2026-11-21T10:04:52.123Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
            "fingerprint": "ab12cd34ef56ab78",
        }
    ],
}
_SLACK: dict[str, Any] = {
    "channel": "#platform",
    "username": "Alertmanager",
    "attachments": [
        {
            "title": "FIRING JudgmentHighErrorRate",
            "title_link": "http://127.0.0.1:9093/#/alerts",
            "text": "severity: critical\n37% of the executions end in an error.",
            "fallback": "[FIRING:1] JudgmentHighErrorRate",
            "color": "danger",
            "actions": [{"type": "button", "text": "Runbook", "url": "http://127.0.0.1:8090/runbooks/a/b"}],
        }
    ],
}

OpenInbox = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def anyio_backend() -> str:
    """The services run on asyncio."""
    return "asyncio"


@pytest.fixture
def webhook() -> dict[str, Any]:
    """A firing alert as Alertmanager's webhook tells it; each test may change its own copy."""
    return copy.deepcopy(_WEBHOOK)


@pytest.fixture
def slack() -> dict[str, Any]:
    """The same as Alertmanager tells Slack."""
    return copy.deepcopy(_SLACK)


@pytest.fixture
def open_inbox(tmp_path: Path) -> OpenInbox:
    """Opens an inbox on the test's folder; opened again it is the same inbox after a restart."""

    @asynccontextmanager
    async def opened(
        max_messages: int = 100, heartbeat_limit: float = 180.0, smtp: tuple[str, int] | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        telemetry = Telemetry.start(TelemetrySettings(service="inbox"), sinks=[])
        settings = Settings(
            data=tmp_path / "data",
            max_messages=max_messages,
            runbooks=tmp_path / "runbooks",
            platform=tmp_path / "platform",
            smtp=smtp,
            heartbeat_limit=heartbeat_limit,
        )
        app = create_app(settings, telemetry)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://inbox") as client,
        ):
            yield client

    return opened


@pytest.fixture
async def inbox(open_inbox: OpenInbox) -> AsyncIterator[httpx.AsyncClient]:
    """An empty inbox."""
    async with open_inbox() as client:
        yield client
