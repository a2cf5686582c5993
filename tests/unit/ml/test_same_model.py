"""The model server and the copy that fds falls back to are the same model and give the same scores."""

import asyncio
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.fds import model as fds_model
from services.fds import train
from services.fds.adapters import ShippedModel
from services.fds.domain import Transaction
from services.fds.model_server import ModelServer
from services.ml.adapters import load_model
from services.ml.app import create_app
from services.ml.settings import MlSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

SERVICES = Path(train.__file__).parents[1]
SERVED = load_model()
OWN = fds_model.load((SERVICES / "fds/model.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["model.json", "trees.py"])
def test_both_files_are_the_same_bytes(name: str) -> None:
    """Slices do not import each other, so each carries the file; a change must reach both."""
    ours, theirs = (SERVICES / service / name for service in ("fds", "ml"))
    message = f"copy services/fds/{name} to services/ml/{name}, or train again"
    assert ours.read_bytes() == theirs.read_bytes(), message


@settings(max_examples=200)
@given(st.tuples(*(st.floats(-1e13, 1e13) for _ in fds_model.FEATURES)))
def test_both_give_the_same_score_for_any_row(row: tuple[float, ...]) -> None:
    """To the last bit."""
    assert SERVED.probability(row) == OWN.probability(row)


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
