"""The endpoints that watch a service: /metrics, /health/live and /health/ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from telemetry.masking import mask_text
from telemetry.metrics import Metrics

QUIET_PATHS = frozenset(("/metrics", "/health/live", "/health/ready"))
Check = Callable[[], Awaitable[None]]
CHECK_SECONDS = 2.0


async def _outcome(check: Check, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            await check()
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except Exception as error:  # a check says by raising, whatever it raises, that it failed
        return mask_text(f"{type(error).__name__}: {error}") or type(error).__name__
    return "ok"


def _json(status: int, content: Mapping[str, object]) -> Response:
    body = orjson.dumps(content, default=str)
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def install_health(
    app: FastAPI, metrics: Metrics, ready: Mapping[str, Check], *, check_seconds: float = CHECK_SECONDS
) -> None:
    """Add the three endpoints; `ready` names checks that raise when the service cannot do its work."""

    async def expose(request: Request) -> Response:
        body, content_type = await asyncio.to_thread(metrics.expose, request.headers.get("accept"))
        return Response(body, headers={"Content-Type": content_type})

    async def live(_: Request) -> Response:
        return _json(200, {"status": "live"})

    async def is_ready(_: Request) -> Response:
        outcomes = await asyncio.gather(*(_outcome(check, check_seconds) for check in ready.values()))
        checks = dict(zip(ready, outcomes, strict=True))
        failed = [name for name, outcome in checks.items() if outcome != "ok"]
        content = {"status": "unavailable" if failed else "ready", "failing": failed, "checks": checks}
        return _json(503 if failed else 200, content)

    for path, endpoint in (("/metrics", expose), ("/health/live", live), ("/health/ready", is_ready)):
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
