"""Where the parts of the inbox are joined."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from services.inbox.adapters import SqliteMessages, SqlitePulse
from services.inbox.api import routes
from services.inbox.database import SqliteFile
from services.inbox.domain import Kind, StoreUnavailableError
from services.inbox.listening import Listener
from services.inbox.mail import parse_mail
from services.inbox.runbooks import Library
from services.inbox.settings import Settings
from services.inbox.signals import Signals
from services.inbox.smtp import SmtpServer
from services.inbox.taking import Take
from telemetry.app import Telemetry, instrument
from telemetry.settings import TelemetrySettings


def create_app(settings: Settings, telemetry: Telemetry) -> FastAPI:
    """The inbox as an ASGI application; closes its file and the telemetry at the end."""
    signals = Signals(telemetry.metrics)
    file = SqliteFile(settings.data, on_damaged=signals.damaged)
    messages = SqliteMessages(file, settings.max_messages)
    listener = Listener(SqlitePulse(file), signals, limit=settings.heartbeat_limit, clock=time.time)
    take = Take(messages, signals, time.time_ns)

    async def take_mail(content: bytes, sender: str, recipients: Sequence[str]) -> None:
        await take.content(Kind.EMAIL, content, lambda body: parse_mail(body, sender, recipients))

    async def store_ready() -> None:
        await messages.count()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(StoreUnavailableError):  # /health/ready tells; the store tries again with each use
            signals.counted(await messages.count())
        mail = SmtpServer(take_mail)
        if settings.smtp is not None:
            await mail.start(*settings.smtp)
        watching = asyncio.create_task(listener.watch())
        yield
        watching.cancel()
        await mail.stop()
        await file.close()
        telemetry.shutdown()

    app = FastAPI(title="Firedrill inbox", description="Where alerts arrive.", lifespan=lifespan)
    library = Library(settings.runbooks, settings.platform)
    app.include_router(routes(messages, signals, take=take, listener=listener, library=library))
    instrument(app, telemetry, ready={"store": store_ready})
    return app


def from_environment() -> FastAPI:
    """The inbox set up by the environment, as uvicorn --factory wants it."""
    telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ))
    return create_app(Settings.from_environment(os.environ), telemetry)
