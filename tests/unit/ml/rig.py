"""The whole service: requests in, metrics, log lines and spans out."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from services.ml.app import create_app
from services.ml.settings import MlSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

SETTINGS = TelemetrySettings(service="ml", system="shopfds", log_level="DEBUG")
SCORE = "/api/v1/ml/score"
TOKEN = "a-token-of-the-tests"


@dataclass
class ListSink:
    """Keeps log lines."""

    lines: list[bytes] = field(default_factory=list)

    def write(self, lines: Sequence[bytes]) -> None:
        self.lines.extend(lines)

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class Rig:
    """A running service and ways to read what it tells."""

    faults: Mapping[str, str] = field(default_factory=dict)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    sink: ListSink = field(default_factory=ListSink)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry.start(SETTINGS, exporter=self.exporter, sinks=[self.sink])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service between its start and its stop."""
        app = create_app(MlSettings(SETTINGS, self.faults), telemetry=self.telemetry)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://ml") as client,
        ):
            yield client

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a metric by their label values, those of `le` left out."""
        text = self.telemetry.metrics.expose(None)[0].decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        self.telemetry.flush()
        parsed = [json.loads(line) for line in self.sink.lines]
        return [line for line in parsed if line["message"] == message]

    def spans(self, name: str) -> list[ReadableSpan]:
        """The ended spans of this name."""
        self.telemetry.flush()
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


def a_question(**values: float) -> dict[str, Any]:
    """The features of a payment that nothing speaks against, but for what `values` change."""
    ordinary = {
        "log_amount": 10.7, "log_amount_per_item": 10.0, "items_count": 2, "account_age_days": 400,
        "hour_in_korea": 12.0, "country_mismatch": 0, "shipping_mismatch": 0, "country_anonymous": 0,
        "device_unknown": 0, "paid_by_card": 1, "paid_by_transfer": 0,
    }  # fmt: skip
    return {"transaction_id": "t-1", "features": {**ordinary, **values}}


FRAUD = {
    "log_amount": 14.7, "log_amount_per_item": 14.7, "items_count": 1, "account_age_days": 1,
    "hour_in_korea": 3.0, "country_mismatch": 1, "shipping_mismatch": 1, "country_anonymous": 1,
    "device_unknown": 1,
}  # fmt: skip


def enabled(folder: Path) -> dict[str, str]:
    """The settings with which faults can be set."""
    return {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": TOKEN, "FAULTS_DIR": str(folder)}
