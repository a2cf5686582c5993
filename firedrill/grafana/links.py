"""The links from one signal to the next, read from the provisioned datasources and filled in as Grafana does.

Where Grafana would show no link, because the data lacks what the link names, NoLink says so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firedrill.clients import Exemplar, LogLine, Span
from firedrill.dashboards.live import DATASOURCES, filled, macros
from firedrill.pace import seconds

EXPLORE_SECONDS = 3600.0  # what Explore shows at first
# What Grafana's Tempo plugin asks for its service graph; the names are its own, not provisioned.
SERVICE_GRAPH = (
    "traces_service_graph_request_total",
    "traces_service_graph_request_server_seconds_sum",
    "traces_service_graph_request_failed_total",
)
_TAG = re.compile(r"""\$\{__span\.tags\["([^"]+)"\]\}""")
_TRACE_ID = "${__trace.traceId}"


class NoLink(Exception):
    """The page would show no link, or one that leads elsewhere."""


@dataclass(frozen=True)
class Target:
    """Where a link leads: the query that it ends in, and between which unix seconds (0 for any time)."""

    name: str
    datasource: str
    query: str
    start: float = 0.0
    end: float = 0.0


class Provisioned:
    """The datasources of a project by uid, with `$$` read as Grafana reads it."""

    def __init__(self, project: Path) -> None:
        found = yaml.safe_load((project / DATASOURCES).read_text("utf-8"))["datasources"]
        self.sources: dict[str, Any] = {one["uid"]: _unescaped(one.get("jsonData", {})) for one in found}
        self._scrape = seconds(str(self.sources["prometheus"]["timeInterval"]))

    def of_exemplar(self, exemplar: Exemplar) -> Iterator[Target]:
        """From a point of a metric to its trace."""
        for one in self.sources["prometheus"]["exemplarTraceIdDestinations"]:
            if one["name"] not in exemplar.labels:
                raise NoLink(f"the exemplar has no label {one['name']!r}")
            yield Target(one["urlDisplayLabel"], one["datasourceUid"], exemplar.labels[one["name"]])

    def of_line(self, line: LogLine) -> Iterator[Target]:
        """From a log line to its trace."""
        for one in self.sources["loki"]["derivedFields"]:
            if one["matcherType"] != "label":
                raise NoLink(f"the derived field {one['name']!r} is no label")
            held = {**line.labels, **line.metadata}
            if one["matcherRegex"] not in held:
                raise NoLink(f"the line has no {one['matcherRegex']!r}")
            value = held[one["matcherRegex"]]
            yield Target(one["name"], one["datasourceUid"], one["url"].replace("${__value.raw}", value))

    def logs_of(self, store: str, span: Span) -> Target:
        """From a span, as the datasource `store` gives it, to its lines."""
        link = self.sources[store]["tracesToLogsV2"]
        query = _TAG.sub(lambda found: _tag(span, found[1], store), link["query"])
        query = query.replace(_TRACE_ID, span.trace_id)
        if "${" in query:
            raise NoLink(f"nothing fills in {query}")
        return Target(store, link["datasourceUid"], query, *_around(span, link))

    def metrics_of(self, store: str, span: Span) -> Iterator[Target]:
        """From a span, as the datasource `store` gives it, to the metrics of its service."""
        link = self.sources[store]["tracesToMetrics"]
        tags = ", ".join(f'{one["value"]}="{_tag(span, one["key"], store)}"' for one in link["tags"])
        for one in link["queries"]:
            query = filled(one["query"].replace("$__tags", tags), macros(EXPLORE_SECONDS, self._scrape), {})
            yield Target(f"{one['name']} ({store})", link["datasourceUid"], query, *_around(span, link))

    def service_graph(self) -> Iterator[Target]:
        """The edges of the graph, as Grafana's Tempo plugin asks for them."""
        source = self.sources["tempo"]["serviceMap"]["datasourceUid"]
        for name in SERVICE_GRAPH:
            query = f"sum by (client, server) (rate({name}[$__range]))"
            yield Target(name, source, filled(query, macros(EXPLORE_SECONDS, self._scrape), {}))


def _tag(span: Span, name: str, store: str) -> str:
    """A tag as Grafana has it: those of the resource, as the store hands them out, and those of the span."""
    tags: Mapping[str, str] = {**span.resource, **span.attributes}
    if name not in tags:
        raise NoLink(
            f"a span of {span.service} in {store} has no tag {name!r}: it has {', '.join(sorted(tags))}"
        )
    return tags[name]


def _around(span: Span, link: Mapping[str, Any]) -> tuple[float, float]:
    """The time that the page then shows, in unix seconds."""
    before, after = (_shift(link.get(f"span{edge}TimeShift", "0s")) for edge in ("Start", "End"))
    return span.start / 1e9 + before, (span.start + span.duration) / 1e9 + after


def _shift(text: str) -> float:
    return -seconds(text[1:]) if text.startswith("-") else seconds(text)


def _unescaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [_unescaped(one) for one in value]
    if isinstance(value, dict):
        return {key: _unescaped(one) for key, one in value.items()}
    return value
