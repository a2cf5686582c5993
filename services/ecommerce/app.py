"""Joins the parts of ecommerce; the only module that knows them all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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
from services.ecommerce import seed
from services.ecommerce.adapters import RedisCache, ScryptPasswords, connect_redis
from services.ecommerce.api import routes
from services.ecommerce.books import PostgresBooks
from services.ecommerce.catalogue import CachedCatalogue
from services.ecommerce.checkout import Checkout
from services.ecommerce.database import BoundedDatabase, Postgres, connect
from services.ecommerce.faults import FAULTS, FaultyCache, FaultyDatabase, FaultyFraud, FaultyRequests
from services.ecommerce.fraud import FraudService, GuardedFraud, connect_fds
from services.ecommerce.ports import (
    Accounts,
    Books,
    Cache,
    Catalogue,
    Fraud,
    FraudUnavailableError,
    Passwords,
    Setup,
    StoreUnavailableError,
)
from services.ecommerce.retention import purges
from services.ecommerce.sessions import Sessions
from services.ecommerce.settings import EcommerceSettings
from services.ecommerce.settings import from_environment as read_settings
from services.ecommerce.shop import Shop
from services.ecommerce.signals import REQUEST_NAMES, Signals
from services.ecommerce.store import PostgresAccounts, PostgresCatalogue, PostgresSetup
from services.ecommerce.watch import CountedFailures, answer_without_store
from services.ecommerce.worker import Worker
from telemetry.app import Telemetry, instrument, instrument_engine, instrument_httpx, instrument_redis
from telemetry.routes import Routes
from telemetry.sentry import close_sentry, init_sentry, watch_requests

PREPARE_EVERY_SECONDS = 1.0


async def _nothing() -> None:
    """What there is to close when nothing was opened."""


@dataclass(frozen=True)
class Peers:
    """The adapters, those of the database with their faults and limits, the others still without."""

    setup: Setup
    catalogue: Catalogue
    accounts: Accounts
    books: Books
    cache: Cache
    fraud: Fraud
    passwords: Passwords
    close: Callable[[], Awaitable[None]] = _nothing
    purges: Mapping[str, Purge] = field(default_factory=dict)


def real_peers(settings: EcommerceSettings, switch: Switch) -> Peers:
    """PostgreSQL, Redis, fds and scrypt; nothing is connected to yet."""
    engine, redis = connect(settings.database_url), connect_redis(settings.redis_url)
    http = connect_fds(settings.fds_url, limit_seconds=settings.fds_timeout_seconds)
    passwords = ScryptPasswords()
    instrument_engine(engine)
    instrument_redis()
    instrument_httpx()
    postgres = Postgres(engine)
    database = BoundedDatabase(FaultyDatabase(postgres, switch))
    return Peers(
        setup=PostgresSetup(
            postgres, seed=settings.seed, demo_password_hash=lambda: passwords.hash(seed.PASSWORD)
        ),
        catalogue=PostgresCatalogue(database),
        accounts=PostgresAccounts(database),
        books=PostgresBooks(database, step_seconds=settings.order_step_seconds),
        cache=RedisCache(redis, ttl_seconds=settings.cache_ttl_seconds),
        fraud=FraudService(http),
        passwords=passwords,
        close=lambda: _close(engine, redis, http, passwords),
        purges=purges(postgres),
    )


async def _close(
    engine: AsyncEngine, redis: Redis, http: httpx.AsyncClient, passwords: ScryptPasswords
) -> None:
    await engine.dispose()
    await redis.aclose()
    await http.aclose()
    passwords.close()


def create_app(
    settings: EcommerceSettings, *, peers: Peers | None = None, telemetry: Telemetry | None = None
) -> FastAPI:
    """The service; `peers` and `telemetry` take the place of the real ones in tests."""
    telemetry = telemetry or Telemetry.start(settings.telemetry)
    init_sentry(settings.sentry, metrics=telemetry.metrics)
    switch = Switch.from_environment("ecommerce", FAULTS, settings.faults)
    peers = peers or real_peers(settings, switch)
    signals = Signals(telemetry.metrics, clock=time.monotonic)
    small = settings.fallback_limit_krw
    fraud = GuardedFraud(
        FaultyFraud(peers.fraud, switch), signals, limit_seconds=settings.fds_timeout_seconds
    )
    catalogue = CachedCatalogue(peers.catalogue, FaultyCache(peers.cache, switch), signals)

    def now() -> datetime:
        return datetime.now(UTC)

    def checkout(sessions: Sessions) -> Checkout:
        return Checkout(peers.books, fraud, signals, small_amount=small, code=sessions.code, now=now)

    shop = Shop(catalogue, peers.accounts, peers.books, peers.passwords, signals, checkout=checkout, now=now)
    sweeper = Sweeper(settings.retention, peers.purges, telemetry.metrics)
    worker = Worker(peers.books, fraud, signals, small_amount=small)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        working = asyncio.create_task(_work(shop, peers.setup, fraud, worker))
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
        shop.require()
        await peers.setup.check()

    app = FastAPI(title="ecommerce", version=settings.telemetry.version, lifespan=lifespan)
    app.include_router(routes(shop))
    places = Routes(app)
    # The last one added is the first one asked: telemetry, the gate, Sentry, the counter, then the fault.
    app.add_middleware(FaultyRequests, dice=Dice(switch, settings.seed))
    app.add_middleware(CountedFailures, routes=places, signals=signals)
    watch_requests(app)
    app.add_middleware(
        LoadShedding,
        limits=settings.requests,
        metrics=telemetry.metrics,
        told=lambda scope: signals.failed("overload", places.template(scope)),
    )
    # Redis and fds are no conditions: without them the shop goes on.
    instrument(app, telemetry, ready={"postgres": postgres}, names=REQUEST_NAMES)
    answer_without_store(app, routes=places, signals=signals)
    switch.install(app, telemetry.metrics)
    return app


async def _work(shop: Shop, setup: Setup, fraud: Fraud, worker: Worker) -> None:
    """Prepare the database, warm what is cold, then move orders; until then requests get 503."""
    while True:
        try:
            shop.open(await setup.prepare())
            break
        except StoreUnavailableError as error:
            shop.signals.store_missed(error)
            await asyncio.sleep(PREPARE_EVERY_SECONDS)
    with suppress(StoreUnavailableError):
        await shop.catalogue.warm(seed.CATEGORIES)
    with suppress(FraudUnavailableError):
        await fraud.label("warm-up")  # unknown: only the connection is wanted, before the first customer
    await worker.run()


def from_environment() -> FastAPI:
    """For uvicorn's --factory."""
    return create_app(read_settings(os.environ))
