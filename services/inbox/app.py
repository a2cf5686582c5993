"""Where the parts of the inbox are joined."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from services.inbox.adapters import SqliteMessages
from services.inbox.api import routes
from services.inbox.domain import StoreUnavailableError
from services.inbox.settings import Settings
from services.inbox.signals import Signals
from telemetry.app import Telemetry, instrument
from telemetry.settings import TelemetrySettings


def create_app(settings: Settings, telemetry: Telemetry) -> FastAPI:
    """The inbox as an ASGI application; closes its file and the telemetry at the end."""
    signals = Signals(telemetry.metrics)
    messages = SqliteMessages(settings.data, settings.max_messages, on_damaged=signals.damaged)

    async def store_ready() -> None:
        await messages.count()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(StoreUnavailableError):  # /health/ready tells; the store tries again with each use
            signals.counted(await messages.count())
        yield
        await messages.close()
        telemetry.shutdown()

    app = FastAPI(title="Firedrill inbox", description="Where alerts arrive.", lifespan=lifespan)
    app.include_router(routes(messages, signals, runbooks=settings.runbooks))
    instrument(app, telemetry, ready={"store": store_ready})
    return app


def from_environment() -> FastAPI:
    """The inbox set up by the environment, as uvicorn --factory wants it."""
    telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ))
    return create_app(Settings.from_environment(os.environ), telemetry)
