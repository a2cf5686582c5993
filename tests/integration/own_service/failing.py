"""A service whose errors tell what it was sent: the way by which secrets get into error texts."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request

from telemetry.app import FASTAPI_TELEMETRY_OFF, Telemetry, instrument
from telemetry.sentry import SentrySettings, close_sentry, init_sentry, watch_requests
from telemetry.settings import from_environment
from telemetry.traces import span


def create_app() -> FastAPI:
    """For uvicorn's --factory."""
    telemetry = Telemetry.start(from_environment(os.environ, service="failing", system="own"))
    init_sentry(SentrySettings.from_environment(os.environ, service="failing"), metrics=telemetry.metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(close_sentry)
        await asyncio.to_thread(telemetry.shutdown)

    app = FastAPI(lifespan=lifespan, telemetry=FASTAPI_TELEMETRY_OFF)
    watch_requests(app)
    instrument(app, telemetry)

    @app.post("/fail")
    async def fail(request: Request) -> None:
        """Fail with the body in the error's text, inside a span of its own."""
        text = (await request.body()).decode()
        with span("failing.work"):
            raise RuntimeError(f"this cannot be used: {text}")

    return app
