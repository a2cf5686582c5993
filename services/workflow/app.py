"""Where the parts of workflow are joined."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from faults import Dice, Switch
from limits.retention import Sweeper
from services.workflow.adapters import HttpJudgment, SimulatedPartners, judgment_client
from services.workflow.api import LARGEST_BODY_BYTES, routes
from services.workflow.breaker import Limits, breakers
from services.workflow.catalogue import GUARDED, WORKFLOWS
from services.workflow.database import BoundedDatabase, Database, PostgresDatabase, database_engine
from services.workflow.domain import NodeType
from services.workflow.engine import Engine
from services.workflow.faults import FAULTS, FaultyDatabase, FaultyPeer, faulty
from services.workflow.retention import purges
from services.workflow.runner import Runner
from services.workflow.settings import Settings
from services.workflow.signals import Signals
from services.workflow.store import PostgresLedger, PostgresStore
from services.workflow.worker import Patience, Worker
from telemetry.app import Telemetry, instrument, instrument_engine, instrument_httpx


def from_environment() -> FastAPI:
    """The service as uvicorn starts it: `uvicorn services.workflow.app:from_environment --factory`."""
    return create_app(Settings.from_environment(os.environ))


def create_app(settings: Settings) -> FastAPI:
    """The service with real adapters; connects to nothing before it is started."""
    telemetry = Telemetry.start(settings.telemetry)
    switch = Switch.from_environment("workflow", FAULTS, settings.faults)
    signals = Signals(telemetry.metrics, clock=time.monotonic)

    tables = database_engine(settings.database_url, timeout_seconds=settings.database_timeout_seconds)
    instrument_engine(tables)
    instrument_httpx()
    postgres = PostgresDatabase(tables)
    database = BoundedDatabase(FaultyDatabase(postgres, switch), settings.database_timeout_seconds)
    store = PostgresStore(database)
    judgment = judgment_client(settings.judgment_url, timeout_seconds=settings.judge_timeout_seconds)

    engine = Engine(
        signals,
        store,
        _worker(settings, signals, switch, judgment, database),
        WORKFLOWS,
        clock=time.monotonic,
        lease_seconds=settings.lease_seconds,
    )
    runner = Runner(
        engine,
        store,
        signals,
        max_running=settings.max_running,
        max_queued=settings.max_queued,
        lease_seconds=settings.lease_seconds,
    )

    sweeper = Sweeper(settings.retention, purges(tables), telemetry.metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runner.start()  # makes the tables with its first look for work; without a database it goes on looking
        try:
            async with sweeper.running():
                yield
        finally:
            await runner.stop()
            await judgment.aclose()
            await tables.dispose()
            await asyncio.to_thread(telemetry.shutdown)

    app = FastAPI(title="Workflow", version=settings.telemetry.version, lifespan=lifespan)
    app.include_router(routes(store, runner))
    # Judgment is no condition: without it instances are accepted and end by fallbacks, or fail and say why.
    instrument(app, telemetry, ready={"postgres": postgres.ping}, max_body_bytes=LARGEST_BODY_BYTES)
    switch.install(app, telemetry.metrics)
    return app


def _worker(
    settings: Settings, signals: Signals, switch: Switch, judgment: httpx.AsyncClient, database: Database
) -> Worker:
    dice = Dice(switch, settings.seed)
    judge = HttpJudgment(judgment)
    partners = SimulatedPartners(settings.seed, PostgresLedger(database))
    limits = Limits(cooldown_seconds=settings.breaker_cooldown_seconds)
    guards = breakers(GUARDED, limits, clock=time.monotonic, moved=signals.record)
    return Worker(
        signals,
        {
            NodeType.JUDGE: FaultyPeer(judge, dice, switch, fault="judgment_down"),
            NodeType.CALL: FaultyPeer(partners, dice, switch, fault="call_slow"),
        },
        faulty(guards, switch),
        limits={
            NodeType.JUDGE: settings.judge_timeout_seconds,
            NodeType.CALL: settings.call_timeout_seconds,
        },
        patience=Patience(),
        chance=random.Random(settings.seed),
    )
