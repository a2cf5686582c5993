"""What the console asks: one module each, every call bounded in time, answers shared between viewers.

SourceError (of firedrill.errors.FiredrillError)
├── SourceDown      nothing answers, or not in time; the page says so and goes on
└── SourceRefused   the backend answered with an error; `why` is its own message
"""

import asyncio
from dataclasses import dataclass

import httpx

from console.settings import Settings
from console.sources.alertmanager import AlertmanagerSource, HeldAlert, Silence
from console.sources.faults import FaultSource
from console.sources.http import Answerer, Health, Source, SourceDown, SourceError, SourceRefused
from console.sources.inbox import InboxSource, Notice
from console.sources.loki import LokiSource
from console.sources.prometheus import FiringRule, PrometheusSource
from console.sources.sharing import Shared
from console.sources.traces import JaegerSource, TraceSearch

__all__ = [
    "AlertmanagerSource",
    "Answerer",
    "FaultSource",
    "FiringRule",
    "Health",
    "HeldAlert",
    "InboxSource",
    "JaegerSource",
    "LokiSource",
    "Notice",
    "PrometheusSource",
    "Shared",
    "Silence",
    "Source",
    "SourceDown",
    "SourceError",
    "SourceRefused",
    "Sources",
    "TraceSearch",
]


@dataclass(frozen=True)
class Sources:
    """Every backend; `health` says which of them did not answer when last asked."""

    health: Health
    prometheus: PrometheusSource
    loki: LokiSource
    jaeger: JaegerSource
    alertmanager: AlertmanagerSource
    inbox: InboxSource
    faults: FaultSource
    http: httpx.AsyncClient
    _backends: tuple[Answerer, ...]
    _services: tuple[Answerer, ...]

    @classmethod
    def open(cls, settings: Settings) -> "Sources":
        """Clients for addresses on this machine or in its network: no proxy of the environment in between."""
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        http = httpx.AsyncClient(timeout=None, trust_env=False, follow_redirects=False, limits=limits)  # noqa: S113
        health = Health()

        def ask(name: str, url: str, ready: str) -> Answerer:
            return Answerer(name, url, http=http, health=health, ready=ready)

        prometheus = ask("Prometheus", settings.prometheus, "/-/ready")
        loki = ask("Loki", settings.loki, "/ready")
        jaeger = ask("Jaeger", settings.jaeger, "/api/services")
        alertmanager = ask("Alertmanager", settings.alertmanager, "/-/ready")
        inbox = ask("Inbox", settings.inbox, "/health/ready")
        services = {name: ask(name, url, "/health/live") for name, url in settings.services.items()}
        return cls(
            health=health,
            prometheus=PrometheusSource(prometheus),
            loki=LokiSource(loki),
            jaeger=JaegerSource(jaeger),
            alertmanager=AlertmanagerSource(alertmanager),
            inbox=InboxSource(inbox),
            faults=FaultSource(services, settings.token),
            http=http,
            _backends=(prometheus, loki, jaeger, alertmanager, inbox),
            _services=tuple(services.values()),
        )

    async def look(self) -> None:
        """Ask the backends whether they are there, and the services that did not answer when last asked."""
        out = {one.name for one in self.health.outages}
        await asyncio.gather(*(one.look() for one in self._backends))
        await asyncio.gather(*(one.look() for one in self._services if one.name in out))

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()
