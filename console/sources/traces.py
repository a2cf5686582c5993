"""Jaeger: one trace, and traces that match a search."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.sources.http import Params, Source, SourceRefused
from firedrill.clients.traces import Span, Trace, jaeger_traces

__all__ = ["JaegerSource", "Span", "Trace", "TraceSearch"]

NOW_TTL = 2.0
SLOW_TTL = 10.0
_TRACE_ID = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True)
class TraceSearch:
    """What to look for; times in unix seconds, durations in seconds; empty means any."""

    service: str
    start: float
    end: float
    operation: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    at_least: float | None = None
    at_most: float | None = None
    limit: int = 20


class JaegerSource(Source):
    """The HTTP API of Jaeger's query service."""

    async def services(self) -> tuple[str, ...]:
        """The names of the services that have sent spans, sorted."""
        body = await self._get("/api/services", {}, SLOW_TTL)
        return tuple(sorted(body.get("data") or ()))

    async def operations(self, service: str) -> tuple[str, ...]:
        """The names of a service's spans, sorted."""
        body = await self._get(f"/api/services/{service}/operations", {}, SLOW_TTL)
        return tuple(sorted(body.get("data") or ()))

    async def trace(self, trace_id: str) -> Trace | None:
        """The trace, or None when it is not (yet) there, or the id is none."""
        if not _TRACE_ID.fullmatch(trace_id):
            return None
        try:
            body = await self._get(f"/api/traces/{trace_id}", {}, NOW_TTL)
        except SourceRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return next(iter(jaeger_traces(body)), None)

    async def search(self, wanted: TraceSearch) -> tuple[Trace, ...]:
        """The traces that match, newest first."""
        params: dict[str, str | int | float] = {
            "service": wanted.service,
            "start": int(wanted.start * 1e6),
            "end": int(wanted.end * 1e6),
            "limit": wanted.limit,
        }
        if wanted.operation:
            params["operation"] = wanted.operation
        if wanted.tags:
            params["tags"] = json.dumps(dict(wanted.tags))
        if wanted.at_least is not None:
            params["minDuration"] = f"{int(wanted.at_least * 1e6)}us"
        if wanted.at_most is not None:
            params["maxDuration"] = f"{int(wanted.at_most * 1e6)}us"
        found = jaeger_traces(await self._get("/api/traces", params, NOW_TTL))
        return tuple(sorted(found, key=lambda one: one.spans[0].start, reverse=True))

    async def _get(self, path: str, params: Params, ttl: float) -> Any:
        key = (path, *sorted(params.items()))
        return await self.shared.get(key, ttl, lambda: self.ask.get(path, params))
