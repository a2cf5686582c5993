"""Joins the parts of admin; the only module that knows them all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Dice, Switch
from limits.retention import Purge, Sweeper
from services.admin.api import Service, routes
from services.admin.bounded import BoundedStore
from services.admin.faults import FAULTS, FaultyFraudService, FaultyStore
from services.admin.fraud import LIMIT_SECONDS, FraudClient, connect_fds
from services.admin.ports import FraudService, ReviewStore, StoreUnavailableError
from services.admin.retention import purges
from services.admin.settings import AdminSettings
from services.admin.settings import from_environment as read_settings
from services.admin.signals import Signals
from services.admin.store import PostgresStore, connect
from services.admin.worker import Courier, Intake, Worker
from telemetry.app import Telemetry, instrument, instrument_engine, instrument_httpx
from telemetry.sentry import close_sentry, init_sentry, watch_requests

LARGEST_BODY_BYTES: Final = 16_384


@dataclass(frozen=True)
class Peers:
    """The adapters before faults are wrapped around them, and what to close in the end."""

    store: ReviewStore
    fds: FraudService
    engine: AsyncEngine | None = None
    http: httpx.AsyncClient | None = None
    purges: Mapping[str, Purge] = field(default_factory=dict)

    async def close(self) -> None:
        """Let go of connections."""
        if self.http is not None:
            await self.http.aclose()
        if self.engine is not None:
            await self.engine.dispose()


def real_peers(settings: AdminSettings) -> Peers:
    """PostgreSQL and fds; nothing is connected to yet."""
    engine, http = connect(settings.database_url), connect_fds(settings.fds_url)
    instrument_engine(engine)
    instrument_httpx()
    return Peers(PostgresStore(engine), FraudClient(http), engine, http, purges(engine))


def create_app(
    settings: AdminSettings, *, peers: Peers | None = None, telemetry: Telemetry | None = None
) -> FastAPI:
    """The service; `peers` and `telemetry` take the place of the real ones in tests."""
    telemetry = telemetry or Telemetry.start(settings.telemetry)
    init_sentry(settings.sentry, metrics=telemetry.metrics)
    peers = peers or real_peers(settings)
    switch = Switch.from_environment("admin", FAULTS, settings.faults)
    signals = Signals(telemetry.metrics, clock=time.monotonic)
    store = BoundedStore(FaultyStore(peers.store, switch))
    dice = Dice(switch, settings.seed)
    fds = FaultyFraudService(peers.fds, switch, dice, limit_seconds=LIMIT_SECONDS)
    courier = Courier(store, fds, signals)
    sweeper = Sweeper(settings.retention, peers.purges, telemetry.metrics)
    worker = Worker(store, Intake(store, fds, signals, seed=settings.seed), courier, signals)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        working = asyncio.create_task(worker.run())
        try:
            async with sweeper.running():
                yield
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            await peers.close()
            await asyncio.to_thread(close_sentry)
            await asyncio.to_thread(telemetry.shutdown)

    async def postgres() -> None:
        if not worker.prepared:
            raise StoreUnavailableError("the store is not prepared yet")
        await store.check()

    app = FastAPI(title="admin", version=settings.telemetry.version, lifespan=lifespan)
    watch_requests(app)
    instrument(app, telemetry, ready={"postgres": postgres}, max_body_bytes=LARGEST_BODY_BYTES)
    app.include_router(routes(Service(store, signals, wake=courier.wake)))
    switch.install(app, telemetry.metrics)
    return app


def from_environment() -> FastAPI:
    """For uvicorn's --factory."""
    return create_app(read_settings(os.environ))
