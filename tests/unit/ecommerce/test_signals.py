"""The request metrics have the names, labels and buckets that dashboards use."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.ecommerce.rig import Rig

FILE = Path(__file__).resolve().parents[2] / "contract/expected_signals.yaml"
EXPECTED: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]["ecommerce"]


@pytest.mark.parametrize("name", EXPECTED["request-metrics"])
def test_request_metrics_are_those_of_the_shop(name: str) -> None:
    """Exact names and labels, a bucket edge at the target, routes as templates."""
    rig, wanted = Rig(), EXPECTED["request-metrics"][name]

    async def ask(client: httpx.AsyncClient) -> None:
        await client.get("/api/v1/products/p-001")

    rig.talked(ask)
    text = rig.telemetry.metrics.expose(None)[0].decode()
    family = next(
        one for one in text_string_to_metric_families(text) if name in (one.name, f"{one.name}_total")
    )
    assert family.type == wanted["type"]
    assert {frozenset(sample.labels) - {"le"} for sample in family.samples} == {frozenset(wanted["labels"])}
    assert {sample.labels["endpoint"] for sample in family.samples} == {"/api/v1/products/{product_id}"}
    bounds = {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels}
    assert set(wanted.get("edges", ())) <= bounds
    assert f"\nhttp_{name.removeprefix('ecommerce_http_')}" not in text


def test_declared_log_keys_are_there() -> None:
    """Each line has the keys that searches rely on."""
    rig = Rig()
    body = {"email": "kim@mail.example", "items": [{"product_id": "p-001"}], "idempotency_key": "k"}
    assert rig.answered("POST", "/api/v1/checkout", json=body).status_code == 201
    for message, keys in EXPECTED["logs"].items():
        assert set(keys) <= set(rig.lines(message)[0])
    for name, keys in EXPECTED["spans"].items():
        assert set(keys) <= set(rig.spans(name)[0].attributes or ())
