"""Where the parts of judgment are joined."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from faults import Dice, Switch
from limits.retention import Sweeper
from services.judgment.adapters import RedisCache, SeededRuleBook, SimulatedLlm, redis_client
from services.judgment.api import LARGEST_BODY_BYTES, routes
from services.judgment.domain import StoreUnavailableError
from services.judgment.engine import Engine
from services.judgment.faults import FAULTS, FaultyCache, FaultyLlm, FaultyRuleBook, FaultyStore
from services.judgment.retention import purges
from services.judgment.settings import Settings
from services.judgment.signals import Signals
from services.judgment.store import BoundedStore, PostgresStore, database_engine
from telemetry.app import Telemetry, instrument, instrument_engine, instrument_redis
from telemetry.logs import get_logger


def from_environment() -> FastAPI:
    """The service as uvicorn starts it: `uvicorn services.judgment.app:from_environment --factory`."""
    return create_app(Settings.from_environment(os.environ))


def create_app(settings: Settings) -> FastAPI:
    """The service with real adapters; connects to nothing before it is started."""
    telemetry = Telemetry.start(settings.telemetry)
    switch = Switch.from_environment("judgment", FAULTS, settings.faults)
    dice = Dice(switch, settings.seed)

    database = database_engine(settings.database_url, timeout_seconds=settings.database_timeout_seconds)
    instrument_engine(database)
    instrument_redis()
    postgres = PostgresStore(database)
    store = BoundedStore(FaultyStore(postgres, dice), settings.database_timeout_seconds)
    redis = redis_client(settings.redis_url, timeout_seconds=settings.cache_timeout_seconds)
    cache = RedisCache(redis, ttl_seconds=settings.cache_ttl_seconds)

    engine = Engine(
        Signals(telemetry.metrics, clock=time.monotonic),
        book=FaultyRuleBook(SeededRuleBook(), dice),
        llm=FaultyLlm(SimulatedLlm(settings.seed), dice),
        cache=FaultyCache(cache, dice),
        store=store,
        clock=time.perf_counter,
        llm_timeout_seconds=settings.llm_timeout_seconds,
    )

    sweeper = Sweeper(settings.retention, purges(database), telemetry.metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await postgres.prepare()
        except StoreUnavailableError as error:
            # The service starts anyway: it answers 503 and becomes ready when the database is there.
            get_logger("judgment").warning("Database not there at start", reason=str(error))
        async with sweeper.running():
            yield
        await redis.aclose()
        await database.dispose()
        telemetry.shutdown()

    app = FastAPI(title="Judgment", version=settings.telemetry.version, lifespan=lifespan)
    app.include_router(routes(engine, store))
    # Redis is no condition: without it every look-up is a miss, and the service goes on.
    instrument(app, telemetry, ready={"postgres": postgres.ping}, max_body_bytes=LARGEST_BODY_BYTES)
    switch.install(app, telemetry.metrics)
    return app
