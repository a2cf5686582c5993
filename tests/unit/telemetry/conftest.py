"""A service of a few routes with telemetry around it, and fakes for what telemetry writes to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry.app import Telemetry, instrument
from telemetry.settings import TelemetrySettings

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Lines:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> None:
        self.raw.extend(lines)

    def close(self) -> None:
        pass

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]


class Exporter(SpanExporter):
    """A collector that keeps spans, refuses them, or never answers."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.refuse = False
        self.gate = threading.Event()
        self.gate.set()
        self.stopped = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.gate.wait()
        if self.refuse:
            return SpanExportResult.FAILURE
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.stopped = True
        self.gate.set()


@dataclass
class Site:
    """An application, its telemetry, and what came out of it."""

    telemetry: Telemetry
    exporter: Exporter
    sink: Lines
    app: FastAPI = field(default_factory=FastAPI)

    def fetch(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request, answered before this returns."""
        return self.fetch_all([(method, path)], **more)[0]

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.fetch("GET", path, **more)

    def fetch_all(self, requests: Sequence[tuple[str, str]], **more: Any) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
                return [await client.request(method, path, **more) for method, path in requests]

        return asyncio.run(run())

    def exposed(self, accept: str = OPENMETRICS) -> str:
        return self.telemetry.metrics.expose(accept)[0].decode()

    def value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        return self.telemetry.metrics.registry.get_sample_value(name, labels or {})

    def lines(self, message: str | None = None) -> list[dict[str, Any]]:
        assert self.telemetry.flush()
        return [line for line in self.sink.parsed if message in (None, line["message"])]

    def spans(self) -> list[ReadableSpan]:
        assert self.telemetry.flush()
        return self.exporter.spans


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    """Makes sites, and shuts their telemetry down at the end."""
    made: list[Site] = []

    def make(settings: TelemetrySettings | None = None, **options: Any) -> Site:
        exporter, sink = Exporter(), Lines()
        chosen = settings or TelemetrySettings(service="shop", system="shopfds", version="1.2.3")
        telemetry = Telemetry.start(chosen, exporter=exporter, sinks=[sink])
        site = Site(telemetry, exporter, sink)
        instrument(site.app, telemetry, **options)
        made.append(site)
        return site

    yield make
    for site in made:
        site.exporter.gate.set()
        site.telemetry.shutdown()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with default settings."""
    return make_site()
