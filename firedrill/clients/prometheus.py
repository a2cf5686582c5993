"""Prometheus: queries, targets, rules, exemplars and its Alertmanagers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from firedrill.clients.http import Backend, Params


@dataclass(frozen=True)
class Series:
    """One series: its labels (with `__name__` when there is one) and (unix seconds, value) points."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Answer:
    """The result of a query: `kind` is vector, matrix, scalar or string; `warnings` are Prometheus's own."""

    kind: str
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()
    text: str = ""

    def total(self) -> float | None:
        """The sum of the last values, or None without any series."""
        return sum(one.points[-1][1] for one in self.series) if self.series else None


@dataclass(frozen=True)
class Target:
    """A scraped target; `scraped` is the time of its last scrape in unix seconds, 0 before the first."""

    labels: Mapping[str, str]
    url: str
    health: str
    error: str
    scraped: float


@dataclass(frozen=True)
class Rule:
    """A loaded rule; `health` is ok, err or unknown (not evaluated yet); `state` is an alert's own."""

    name: str
    kind: str
    health: str
    error: str
    state: str = ""


@dataclass(frozen=True)
class RuleGroup:
    """A loaded group of rules."""

    name: str
    file: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Exemplar:
    """An exemplar: the labels of its series, its own labels, value and unix seconds."""

    series: Mapping[str, str]
    labels: Mapping[str, str]
    value: float
    time: float


class Prometheus(Backend):
    """The HTTP API of Prometheus."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("Prometheus", base_url, http=http)

    def query(self, promql: str, *, at: float | None = None) -> Answer:
        """An instant query at unix second `at`, or now."""
        params: dict[str, str | int | float] = {"query": promql}
        if at is not None:
            params["time"] = at
        return answer_of(self.get("/api/v1/query", params))

    def query_range(self, promql: str, *, start: float, end: float, step: float) -> Answer:
        """A range query between two unix seconds, a point every `step` seconds."""
        params: Params = {"query": promql, "start": start, "end": end, "step": step}
        return answer_of(self.get("/api/v1/query_range", params))

    def targets(self) -> tuple[Target, ...]:
        """Every active target."""
        return targets_of(self.get("/api/v1/targets", {"state": "active"}))

    def rules(self) -> tuple[RuleGroup, ...]:
        """Every loaded rule group."""
        groups = self.get("/api/v1/rules")["data"]["groups"]
        return tuple(
            RuleGroup(one["name"], one["file"], tuple(_rule(rule) for rule in one["rules"])) for one in groups
        )

    def alertmanagers(self) -> tuple[str, ...]:
        """The addresses of the Alertmanagers that Prometheus sends to."""
        data = self.get("/api/v1/alertmanagers")["data"]
        return tuple(one["url"] for one in data["activeAlertmanagers"])

    def exemplars(self, promql: str, *, start: float, end: float) -> tuple[Exemplar, ...]:
        """The exemplars of the series in `promql` between two unix seconds."""
        return exemplars_of(
            self.get("/api/v1/query_exemplars", {"query": promql, "start": start, "end": end})
        )


def answer_of(body: Any) -> Answer:
    """The answer in the JSON body of a query."""
    data = body["data"]
    kind, result = str(data["resultType"]), data["result"]
    warnings = tuple(body.get("warnings") or ())
    if kind == "string":
        return Answer(kind, (), warnings, text=str(result[1]))
    if kind == "scalar":
        return Answer(kind, (Series({}, (_point(result),)),), warnings)
    return Answer(kind, series_of(result), warnings)


def exemplars_of(body: Any) -> tuple[Exemplar, ...]:
    """The exemplars in the JSON body of their query."""
    return tuple(
        Exemplar(one["seriesLabels"], found["labels"], float(found["value"]), float(found["timestamp"]))
        for one in body["data"] or ()
        for found in one["exemplars"]
    )


def series_of(result: Any) -> tuple[Series, ...]:
    """The series of a vector or a matrix in the JSON form that Prometheus and Loki share."""
    return tuple(
        Series(one["metric"], tuple(_point(point) for point in one.get("values") or [one.get("value")]))
        for one in result
        if one.get("values") or one.get("value")  # a native histogram has neither; we expose none
    )


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])  # float() reads NaN and +Inf as Prometheus writes them


def targets_of(body: Any) -> tuple[Target, ...]:
    """The active targets in the JSON body of their query."""
    return tuple(_target(one) for one in body["data"]["activeTargets"])


def _target(one: Any) -> Target:
    scraped = unix_seconds(one.get("lastScrape", ""))
    return Target(one["labels"], one["scrapeUrl"], one["health"], one.get("lastError", ""), scraped)


def _rule(one: Any) -> Rule:
    error = one.get("lastError") or ""
    return Rule(one["name"], one["type"], one.get("health", "unknown"), error, one.get("state", ""))


def unix_seconds(text: str) -> float:
    """An RFC 3339 time with any number of decimals; 0 for Go's zero time and for nothing."""
    return 0.0 if not text or text.startswith("0001-") else datetime.fromisoformat(text).timestamp()
