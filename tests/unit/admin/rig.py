"""The whole service on a real PostgreSQL and a fake fds: requests in, signals out."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from services.admin.app import Peers, create_app
from services.admin.ports import ReviewStore
from services.admin.settings import AdminSettings
from services.admin.store import PostgresStore, connect
from services.admin.tables import cases, intake, reviews
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings
from tests.unit.admin.fakes import FakeFds

SETTINGS = TelemetrySettings(service="admin", system="shopfds", log_level="DEBUG")
REVIEWS = "/api/v1/admin/reviews"
QUEUE = "/api/v1/admin/queue"
KIM = {"X-Reviewer": "reviewer-kim"}


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
    """A running service on the database at `url`, or on `store`."""

    url: str = "unused"
    store: ReviewStore | None = None
    fds: FakeFds = field(default_factory=FakeFds)
    faults: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, *, ready: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service between its start and its stop."""
        engine = connect(self.url) if self.store is None else None
        store = self.store or PostgresStore(engine)  # type: ignore[arg-type]
        settings = AdminSettings(SETTINGS, "unused", "http://unused", faults=self.faults)
        app = create_app(settings, peers=Peers(store, self.fds, engine), telemetry=self.telemetry)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin") as client,
        ):
            if ready:
                await until(lambda: _is_ready(client))
            yield client

    def talked(self, talk: Callable[[httpx.AsyncClient], Awaitable[Any]], *, ready: bool = True) -> Any:
        """What `talk` gives after talking to the service."""

        async def run() -> Any:
            async with self.running(ready=ready) as client:
                return await talk(client)

        return asyncio.run(run())


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for a condition of the running service."""
    async with asyncio.timeout(seconds):
        for _ in itertools.count():
            if await check():
                return
            await asyncio.sleep(0.01)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def delivered(client: httpx.AsyncClient, transaction_id: str) -> None:
    """Wait until a review is no longer pending."""

    async def check() -> bool:
        answer = await client.get(f"{REVIEWS}/{transaction_id}")
        return bool(answer.json()["delivery"] != "pending")

    await until(check)


def with_store(url: str, work: Callable[[PostgresStore], Awaitable[Any]], *, fresh: bool = True) -> Any:
    """Run `work` on a store with its tables made, empty if `fresh`."""

    async def run() -> Any:
        engine = connect(url)
        store = PostgresStore(engine)
        try:
            await store.prepare()
            if fresh:
                async with engine.begin() as connection:
                    for table in (cases, reviews, intake):
                        await connection.execute(sa.delete(table))
            return await work(store)
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def nothing(_: PostgresStore) -> None:
    """Only prepare and empty."""
