"""The whole service on fakes: requests in, metrics, log lines and spans out."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from services.fds.app import Peers, create_app
from services.fds.ports import Scorer
from services.fds.settings import FdsSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings
from tests.unit.fds.fakes import FakeFeed, FakeScorer, FakeStore, FakeVelocity

SETTINGS = TelemetrySettings(service="fds", system="shopfds", log_level="DEBUG")
EVALUATE = "/api/v1/fds/evaluate"
FEEDBACK = "/api/v1/fds/feedback"


@dataclass
class ListSink:
    """Keeps log lines."""

    lines: list[bytes] = field(default_factory=list)

    def write(self, lines: Sequence[bytes]) -> None:
        self.lines.extend(lines)

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class Observed:
    """Telemetry that is kept in memory, and ways to read it."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    sink: ListSink = field(default_factory=ListSink)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry.start(SETTINGS, exporter=self.exporter, sinks=[self.sink])

    def value(self, name: str, **labels: str) -> float | None:
        """One sample, None when it is not exposed."""
        text = self.telemetry.metrics.expose(None)[0].decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        self.telemetry.flush()
        parsed = [json.loads(line) for line in self.sink.lines]
        return [line for line in parsed if line["message"] == message]

    def spans(self, name: str) -> list[ReadableSpan]:
        """The ended spans of this name."""
        self.telemetry.flush()
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@dataclass
class Rig(Observed):
    """A running service."""

    store: FakeStore = field(default_factory=FakeStore)
    velocity: FakeVelocity = field(default_factory=FakeVelocity)
    scorer: FakeScorer = field(default_factory=FakeScorer)
    feed: FakeFeed = field(default_factory=FakeFeed)
    served: Scorer | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, *, prepared: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service between its start and its stop."""
        settings = FdsSettings(SETTINGS, database_url="unused", redis_url="unused", faults=self.faults)
        peers = Peers(self.store, self.velocity, self.scorer, self.feed, self.served)
        app = create_app(settings, peers=peers, telemetry=self.telemetry)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://fds") as client,
        ):
            for _ in range(400 if prepared else 0):
                if (await client.get("/health/ready")).status_code == 200:
                    break
                await asyncio.sleep(0.005)
            yield client


def a_payment(**values: Any) -> dict[str, Any]:
    """A request that nothing speaks against, but for what `values` change."""
    return {
        "transaction_id": "t-1", "user_id": "user-1", "amount": 45_000, "payment_method": "credit_card",
        "ip": "198.51.100.7", "country": "KR", "billing_country": "KR", "device_id": "device-1", **values,
    }  # fmt: skip
