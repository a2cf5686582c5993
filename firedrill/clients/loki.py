"""Loki: log lines with their labels and structured metadata, and metric queries over logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from firedrill.clients.http import Backend, Params
from firedrill.clients.prometheus import Series, series_of

# Without this flag Loki mixes labels, structured metadata and parsed keys into one map.
CATEGORIES = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


@dataclass(frozen=True)
class LogLine:
    """One stored line; `time` is in unix nanoseconds."""

    time: int
    text: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class LogAnswer:
    """Lines, oldest first, for a log query; series for a metric query."""

    lines: tuple[LogLine, ...] = ()
    series: tuple[Series, ...] = ()


class Loki(Backend):
    """The HTTP API of Loki."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("Loki", base_url, http=http)

    def search(self, logql: str, *, start: float, end: float, limit: int = 100) -> LogAnswer:
        """The newest `limit` lines between two unix seconds, oldest first; a metric query gives series."""
        params: Params = {
            "query": logql,
            "start": int(start * 1e9),
            "end": int(end * 1e9),
            "limit": limit,
            "direction": "backward",
        }
        return log_answer_of(self.get("/loki/api/v1/query_range", params, headers=CATEGORIES))

    def labels(self, *, start: float, end: float) -> tuple[str, ...]:
        """The names of the index labels between two unix seconds."""
        body = self.get("/loki/api/v1/labels", {"start": int(start * 1e9), "end": int(end * 1e9)})
        return tuple(body.get("data") or ())


def log_answer_of(body: Any) -> LogAnswer:
    """The lines or series in the JSON body of a query, oldest line first."""
    data = body["data"]
    if data["resultType"] != "streams":
        return LogAnswer(series=series_of(data["result"]))
    lines = [_line(stream["stream"], value) for stream in data["result"] for value in stream["values"]]
    return LogAnswer(lines=tuple(sorted(lines, key=lambda one: one.time)))


def _line(labels: Mapping[str, str], value: Any) -> LogLine:
    extra = value[2] if len(value) > 2 else {}
    metadata = dict(extra.get("structuredMetadata") or {})
    return LogLine(int(value[0]), str(value[1]), dict(labels), metadata)
