"""Joins the parts of fds; the only module that knows them all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Dice, Switch
from limits.retention import Purge, Sweeper
from limits.shedding import LoadShedding
from services.fds.adapters import CachedFeed, DistantFeed, RedisVelocity, ShippedModel, connect_redis
from services.fds.api import Service, routes
from services.fds.database import connect
from services.fds.engines import Evaluator
from services.fds.faults import FAULTS, FaultyFeed, FaultyScorer, FaultyStore, FaultyVelocity
from services.fds.model_server import BackedScorer, ModelServer, connect_model, meet_model
from services.fds.ports import EvaluationStore, Scorer, StoreUnavailableError, ThreatFeed, VelocityCounter
from services.fds.retention import purges
from services.fds.settings import FdsSettings
from services.fds.settings import from_environment as read_settings
from services.fds.signals import Signals
from services.fds.store import BoundedStore, PostgresFeed, PostgresStore
from telemetry.app import Telemetry, instrument, instrument_engine, instrument_httpx, instrument_redis
from telemetry.sentry import close_sentry, init_sentry, watch_requests

PREPARE_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Peers:
    """The adapters before faults are wrapped around them, and what to close in the end.

    `scorer` is the own copy of the model; `served`, where there is one, is the model server asked first.
    """

    store: EvaluationStore
    velocity: VelocityCounter
    scorer: Scorer
    feed: ThreatFeed
    served: Scorer | None = None
    engine: AsyncEngine | None = None
    redis: Redis | None = None
    http: httpx.AsyncClient | None = None
    purges: Mapping[str, Purge] = field(default_factory=dict)

    async def close(self) -> None:
        """Let go of connections."""
        if self.engine is not None:
            await self.engine.dispose()
        if self.redis is not None:
            await self.redis.aclose()
        if self.http is not None:
            await self.http.aclose()


def real_peers(settings: FdsSettings) -> Peers:
    """PostgreSQL, Redis, the shipped model and the model server; nothing is connected to yet."""
    http = connect_model(settings.ml_url) if settings.ml_url else None
    if http is not None:
        instrument_httpx()
    engine, redis = connect(settings.database_url), connect_redis(settings.redis_url)
    instrument_engine(engine)
    instrument_redis()
    return Peers(
        store=PostgresStore(engine, seed=settings.seed),
        velocity=RedisVelocity(redis),
        scorer=ShippedModel(),
        feed=CachedFeed(DistantFeed(PostgresFeed(engine), seed=settings.seed)),
        served=ModelServer(http) if http is not None else None,
        engine=engine,
        redis=redis,
        http=http,
        purges=purges(engine),
    )


def create_app(
    settings: FdsSettings, *, peers: Peers | None = None, telemetry: Telemetry | None = None
) -> FastAPI:
    """The service; `peers` and `telemetry` take the place of the real ones in tests."""
    telemetry = telemetry or Telemetry.start(settings.telemetry)
    init_sentry(settings.sentry, metrics=telemetry.metrics)
    peers = peers or real_peers(settings)
    switch = Switch.from_environment("fds", FAULTS, settings.faults)
    dice = Dice(switch, settings.seed)
    signals = Signals(telemetry.metrics, clock=time.monotonic)
    store = BoundedStore(FaultyStore(peers.store, switch))
    scorer = BackedScorer(peers.served, peers.scorer, signals) if peers.served else peers.scorer
    evaluator = Evaluator(
        FaultyVelocity(peers.velocity, switch),
        FaultyScorer(scorer, switch, dice),
        FaultyFeed(peers.feed, switch, dice),
        clock=time.perf_counter,
        witness=signals,
    )
    sweeper = Sweeper(settings.retention, peers.purges, telemetry.metrics)
    service = Service(evaluator, store, signals, now=lambda: datetime.now(UTC))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        preparing = asyncio.create_task(_prepare(service))
        if peers.http is not None:
            await meet_model(peers.http)
        try:
            async with sweeper.running():
                yield
        finally:
            preparing.cancel()
            with suppress(asyncio.CancelledError):
                await preparing
            await peers.close()
            await asyncio.to_thread(close_sentry)
            await asyncio.to_thread(telemetry.shutdown)

    async def postgres() -> None:
        service.require_store()
        await store.check()

    app = FastAPI(title="fds", version=settings.telemetry.version, lifespan=lifespan)
    watch_requests(app)
    app.add_middleware(LoadShedding, limits=settings.requests, metrics=telemetry.metrics)
    instrument(app, telemetry, ready={"postgres": postgres})
    app.include_router(routes(service))
    switch.install(app, telemetry.metrics)
    return app


async def _prepare(service: Service) -> None:
    """Make tables and read back labels; until PostgreSQL is up the service runs and answers 503."""
    while not service.prepared:
        try:
            service.restore(await service.store.prepare())
        except StoreUnavailableError as error:
            service.signals.unprepared(error)
            await asyncio.sleep(PREPARE_EVERY_SECONDS)


def from_environment() -> FastAPI:
    """For uvicorn's --factory."""
    return create_app(read_settings(os.environ))
