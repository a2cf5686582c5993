"""Prometheus: queries, exemplars, values of labels, targets and rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.sources.http import Params, Source
from firedrill.clients.prometheus import (
    Answer,
    Exemplar,
    Series,
    Target,
    answer_of,
    exemplars_of,
    targets_of,
)
from firedrill.pace import seconds

__all__ = ["Answer", "Exemplar", "FiringRule", "PrometheusSource", "Series", "Target"]

NOW_TTL = 2.0
SLOW_TTL = 5.0
SCRAPE_TTL = 60.0
PRODUCTION_SCRAPE = 15.0
_SCRAPE = re.compile(r"^\s*scrape_interval: (\S+)$", re.M)


@dataclass(frozen=True)
class FiringRule:
    """An alert of Prometheus: `state` is pending or firing, `since` in unix seconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    since: float
    value: str


class PrometheusSource(Source):
    """The HTTP API of Prometheus; `ttl` says for how many seconds viewers share an answer."""

    async def query(self, promql: str, *, at: float | None = None, ttl: float = NOW_TTL) -> Answer:
        """An instant query at unix second `at`, or now."""
        params: dict[str, str | int | float] = {"query": promql}
        if at is not None:
            params["time"] = at
        return answer_of(await self._get("/api/v1/query", params, ttl))

    async def query_range(
        self, promql: str, *, start: float, end: float, step: float, ttl: float = NOW_TTL
    ) -> Answer:
        """A range query between two unix seconds, a point every `step` seconds."""
        params: Params = {"query": promql, "start": start, "end": end, "step": step}
        return answer_of(await self._get("/api/v1/query_range", params, ttl))

    async def exemplars(
        self, promql: str, *, start: float, end: float, ttl: float = SLOW_TTL
    ) -> tuple[Exemplar, ...]:
        """The exemplars of the series in `promql` between two unix seconds."""
        params: Params = {"query": promql, "start": start, "end": end}
        return exemplars_of(await self._get("/api/v1/query_exemplars", params, ttl))

    async def label_values(self, metric: str, label: str) -> tuple[str, ...]:
        """The values that `label` of `metric` has now, sorted."""
        answer = await self.query(f"group by ({label}) ({metric})", ttl=SLOW_TTL)
        return tuple(sorted({one.labels.get(label, "") for one in answer.series} - {""}))

    async def scrape_seconds(self) -> float:
        """How often Prometheus scrapes: 15 s at production pace, a tenth at demo pace."""
        body = await self._get("/api/v1/status/config", {}, SCRAPE_TTL)
        found = _SCRAPE.search(body["data"]["yaml"])
        return seconds(found[1]) if found else PRODUCTION_SCRAPE

    async def targets(self) -> tuple[Target, ...]:
        """Every active target."""
        return targets_of(await self._get("/api/v1/targets", {"state": "active"}, NOW_TTL))

    async def alerts(self) -> tuple[FiringRule, ...]:
        """The alerts that are pending or firing."""
        body = await self._get("/api/v1/alerts", {}, NOW_TTL)
        return tuple(_alert(one) for one in body["data"]["alerts"])

    async def rules(self) -> tuple[Mapping[str, Any], ...]:
        """Every loaded rule as Prometheus shows it, with the name of its `group`."""
        body = await self._get("/api/v1/rules", {}, SLOW_TTL)
        return tuple(
            {**rule, "group": group["name"]} for group in body["data"]["groups"] for rule in group["rules"]
        )

    async def _get(self, path: str, params: Params, ttl: float) -> Any:
        key = (path, *sorted(params.items()))
        return await self.shared.get(key, ttl, lambda: self.ask.get(path, params))


def _alert(one: Any) -> FiringRule:
    since = datetime.fromisoformat(one["activeAt"]).timestamp()
    return FiringRule(one["labels"], one["annotations"], one["state"], since, str(one["value"]))
