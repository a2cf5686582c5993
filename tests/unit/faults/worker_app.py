"""A small service with a fault, for uvicorn: GET /work says who works and whether it is broken."""

import os

from fastapi import FastAPI

from faults import Fault, Parameter, Switch
from telemetry.app import Telemetry, instrument
from telemetry.settings import TelemetrySettings

FAULTS = (Fault("slow", "", (Parameter("milliseconds", 5, 1, 50, "ms"),)),)


def make() -> FastAPI:
    """As uvicorn's --factory wants it."""
    telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ))
    switch = Switch.from_environment("worker", FAULTS, os.environ)
    app = FastAPI()

    @app.get("/work")
    async def work() -> dict[str, object]:
        return {"pid": os.getpid(), "slow": switch.active("slow")}

    instrument(app, telemetry)
    switch.install(app, telemetry.metrics)
    return app
