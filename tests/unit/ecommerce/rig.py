"""The whole shop on fakes: requests in, metrics, log lines and spans out."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from limits.gate import RequestLimits
from services.ecommerce.app import Peers, create_app
from services.ecommerce.settings import REQUESTS, EcommerceSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings
from tests.unit.ecommerce.fakes import (
    FakeAccounts,
    FakeBooks,
    FakeCache,
    FakeCatalogue,
    FakeFraud,
    FakePasswords,
    FakeSetup,
)

SETTINGS = TelemetrySettings(service="ecommerce", system="shopfds", log_level="DEBUG")
CHECKOUT = "/api/v1/checkout"
Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


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
    """A running shop on fakes, or on `peers`."""

    setup: FakeSetup = field(default_factory=FakeSetup)
    catalogue: FakeCatalogue = field(default_factory=FakeCatalogue)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    cache: FakeCache = field(default_factory=FakeCache)
    fraud: FakeFraud = field(default_factory=FakeFraud)
    faults: Mapping[str, str] = field(default_factory=dict)
    database_url: str = ""
    redis_url: str = ""
    fds_url: str = "http://unused"
    order_step_seconds: float = 5.0
    requests: RequestLimits = REQUESTS
    fds_timeout_seconds: float = 5.0  # patient: other tests may keep the machine busy

    def __post_init__(self) -> None:
        super().__post_init__()
        self.books = FakeBooks(self.accounts)

    @asynccontextmanager
    async def running(self, *, prepared: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service between its start and its stop; on real peers when they have addresses."""
        settings = EcommerceSettings(
            SETTINGS, self.database_url, self.redis_url, self.fds_url, faults=self.faults,
            order_step_seconds=self.order_step_seconds, fds_timeout_seconds=self.fds_timeout_seconds,
            requests=self.requests,
        )  # fmt: skip
        fakes = Peers(
            self.setup, self.catalogue, self.accounts, self.books, self.cache, self.fraud, FakePasswords()
        )
        peers = None if self.database_url else fakes
        app = create_app(settings, peers=peers, telemetry=self.telemetry)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://shop", timeout=30) as client,
        ):
            for _ in range(1000 if prepared else 0):
                if (await client.get("/health/ready")).status_code == 200:
                    break
                await anyio.sleep(0.01)
            yield client

    def talked(self, talk: Talk, *, prepared: bool = True) -> Any:
        """What `talk` gives after talking to the service."""

        async def run() -> Any:
            async with self.running(prepared=prepared) as client:
                return await talk(client)

        return anyio.run(run)

    def answered(self, method: str, path: str, *, prepared: bool = True, **content: Any) -> httpx.Response:
        """The answer to one request."""

        async def ask(client: httpx.AsyncClient) -> httpx.Response:
            return await client.request(method, path, **content)

        found: httpx.Response = self.talked(ask, prepared=prepared)
        return found


def a_body(**values: Any) -> dict[str, Any]:
    """A guest's purchase that nothing speaks against, but for what `values` change."""
    return {
        "email": "kim@mail.example", "items": [{"product_id": "p-001", "quantity": 2}],
        "payment_method": "credit_card", "idempotency_key": "k-1", "device_id": "device-1", **values,
    }  # fmt: skip


async def registered(client: httpx.AsyncClient, email: str = "lee@mail.example") -> dict[str, str]:
    """The headers of a new user."""
    answer = await client.post("/api/v1/users/register", json={"email": email, "password": "correct horse"})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}
