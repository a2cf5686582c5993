"""fds gets from the model server what its own copy of the model says."""

import asyncio

import httpx

from services.fds import train
from services.fds.adapters import ShippedModel
from services.fds.domain import Transaction
from services.fds.model_server import ModelServer
from services.ml.app import create_app
from services.ml.settings import MlSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings


def test_over_http_fds_gets_the_score_that_it_would_give_itself() -> None:
    """Names, order, rounding and transport add nothing and lose nothing."""
    cases = [case.transaction for case in train.generate(200, seed=20_261_121)]

    async def run() -> list[tuple[float, float]]:
        plain = TelemetrySettings(service="ml", system="shopfds")
        telemetry = Telemetry.start(plain, sinks=[])
        transport = httpx.ASGITransport(create_app(MlSettings(plain), telemetry=telemetry))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://ml") as client:
                server, own = ModelServer(client, limit_seconds=5), ShippedModel()
                return [await _both(server, own, case) for case in cases]
        finally:
            telemetry.shutdown()

    pairs = asyncio.run(run())
    assert all(served == own for served, own in pairs)
    assert len({own for _, own in pairs}) > 50


async def _both(server: ModelServer, own: ShippedModel, case: Transaction) -> tuple[float, float]:
    served, mine = await server.predict(case), await own.predict(case)
    assert served.model_version == mine.model_version
    return served.probability, mine.probability
