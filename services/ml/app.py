"""Joins the parts of ml; the only module that knows them all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from faults import Dice, Switch
from fraudmodel.trees import Model
from services.ml.adapters import LoadedModel, load_model
from services.ml.api import Service, routes
from services.ml.drift import DriftWindow
from services.ml.faults import FAULTS, FaultyScorer
from services.ml.settings import MlSettings
from services.ml.settings import from_environment as read_settings
from services.ml.signals import Signals
from telemetry.app import Telemetry, instrument
from telemetry.sentry import close_sentry, init_sentry, watch_requests

LARGEST_BODY_BYTES: Final = 16_384


def create_app(
    settings: MlSettings, *, model: Model | None = None, telemetry: Telemetry | None = None
) -> FastAPI:
    """The service; `model` and `telemetry` take the place of the real ones in tests."""
    telemetry = telemetry or Telemetry.start(settings.telemetry)
    init_sentry(settings.sentry, metrics=telemetry.metrics)
    model = model or load_model()
    switch = Switch.from_environment("ml", FAULTS, settings.faults)
    signals = Signals(telemetry.metrics, clock=time.monotonic, version=model.version)
    window = DriftWindow(model.features, model.reference, clock=time.monotonic)
    scorer = FaultyScorer(LoadedModel(model), switch, Dice(switch), features=model.features)
    service = Service(model, scorer, window, signals, clock=time.perf_counter)
    telemetry.metrics.before_expose(service.measure_drift)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        signals.serving(model.version, len(model.features), len(model.trees))
        try:
            yield
        finally:
            await asyncio.to_thread(close_sentry)
            await asyncio.to_thread(telemetry.shutdown)

    app = FastAPI(title="ml", version=settings.telemetry.version, lifespan=lifespan)
    watch_requests(app)
    instrument(app, telemetry, max_body_bytes=LARGEST_BODY_BYTES)
    app.include_router(routes(service))
    switch.install(app, telemetry.metrics)
    return app


def from_environment() -> FastAPI:
    """For uvicorn's --factory."""
    return create_app(read_settings(os.environ))
