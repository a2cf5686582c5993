"""A link is followed on what the backends hold, and what does not lead to data is said with its query."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from firedrill.clients import Backend, Jaeger, Loki, Prometheus, Tempo
from firedrill.grafana.links import Provisioned
from firedrill.verify.check import Missing, Seen
from firedrill.verify.links import LINKS, Linked, checks_of

ROOT = Path(__file__).parents[3]
ID = "0af7651916cd43dd8448eb211c80319c"
NOTES = {
    "dashboard_url": "http://127.0.0.1:3002/d/fds-performance",
    "runbook_url": "http://inbox/runbooks/fds/FDSSLAViolation",
}


@dataclass
class World:
    """Backends that hold one trace; a test takes something away."""

    exemplars: list[str] = field(default_factory=lambda: [ID])
    lines: dict[str, str] = field(default_factory=lambda: {"trace_id": ID})
    stored: bool = True
    tags: dict[str, str] = field(default_factory=lambda: {"service.instance.id": "fds"})
    series: bool = True
    notes: dict[str, str] = field(default_factory=lambda: dict(NOTES))
    runbook: int = 200
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked: dict[str, Callable[[str], Any]] = {
            "prometheus": self._prometheus,
            "loki": self._loki,
            "jaeger": self._jaeger,
            "alertmanager": lambda _: [
                {"labels": {"alertname": "FDSSLAViolation"}, "annotations": self.notes}
            ],
        }
        self.asked.append(request.url.params.get("query", request.url.path))
        if request.url.host == "inbox":
            name = request.url.path.rpartition("/")[2]
            return httpx.Response(self.runbook, text=f"<h1>{name}</h1>")
        if request.url.host == "tempo" or (request.url.host == "jaeger" and not self.stored):
            return httpx.Response(404, json={"errors": [{"msg": "not found"}]})
        return httpx.Response(200, json=asked[request.url.host](request.url.path))

    def _prometheus(self, path: str) -> object:
        if path.endswith("exemplars"):
            found = [{"labels": {"trace_id": one}, "value": "1", "timestamp": 1.0} for one in self.exemplars]
            return {"data": [{"seriesLabels": {"__name__": "x_bucket"}, "exemplars": found}]}
        values = [[1.0, "NaN"], [2.0, "3"]] if self.series else [[1.0, "NaN"]]
        return {"data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}

    def _loki(self, path: str) -> object:
        values = [["1", "{}", {"structuredMetadata": self.lines}]] if self.lines else []
        found = [{"stream": {"service": "fds"}, "values": values}] if values else []
        return {"data": {"resultType": "streams", "result": found}}

    def _jaeger(self, path: str) -> object:
        if path == "/api/services":
            return {"data": ["fds"]}
        if path == "/api/dependencies":
            return {"data": [{"parent": "ecommerce", "child": "fds", "callCount": 3}]}
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        span = {
            "traceID": ID, "spanID": "1", "operationName": "POST /x", "processID": "p", "duration": 1000,
            "startTime": int(time.time() * 1e6), "tags": [{"key": "span.kind", "value": "server"}],
        }  # fmt: skip
        return {
            "data": [
                {"traceID": ID, "spans": [span], "processes": {"p": {"serviceName": "fds", "tags": tags}}}
            ]
        }


def attempt(world: World, name: str, *, tempo: bool = False) -> Seen | Missing:
    """One attempt at the check of a link."""
    with httpx.Client(transport=httpx.MockTransport(world)) as http:
        jaeger = Jaeger("http://jaeger", http=http)
        around = Linked(
            root=ROOT,
            provisioned=Provisioned(ROOT),
            prometheus=Prometheus("http://prometheus", http=http),
            loki=Loki("http://loki", http=http),
            jaeger=jaeger,
            stores={"jaeger": jaeger, **({"tempo": Tempo("http://tempo", http=http)} if tempo else {})},
            alertmanager=Backend("Alertmanager", "http://alertmanager", http=http),
            inbox="http://inbox",
            http=http,
        )
        return next(check for check in checks_of(around) if check.name == f"link: {name}").attempt()


@pytest.mark.parametrize("name", [name for name, *_ in LINKS])
def test_every_link_is_followed(name: str) -> None:
    """From data to data."""
    assert isinstance(attempt(World(), name), Seen)


def test_what_a_link_ends_in_is_asked() -> None:
    """The query as Grafana would ask it."""
    world = World()
    attempt(world, "trace to logs")
    assert world.asked[-1] == f'{{service="fds"}} | trace_id="{ID}"'


@pytest.mark.parametrize(
    ("world", "name", "said"),
    [
        (World(exemplars=[]), "metric to trace", "no exemplar"),
        (World(stored=False), "metric to trace", "Jaeger has none of 1 traces"),
        (World(lines={}), "logs to trace", "no line has a trace id"),
        (World(lines={"span_id": "1"}), "logs to trace", "the line has no 'trace_id'"),
        (World(lines={}), "trace to logs", "no lines for 1 spans out of jaeger"),
        (World(tags={"team": "x"}), "trace to logs", "has no tag"),
        (World(tags={"team": "x"}), "trace to metrics", "has no tag"),
        (World(series=False), "trace to metrics", "gives no value"),
        (World(notes={}), "alert to dashboard to runbook", "leads to no dashboard"),
        (World(runbook=404), "alert to dashboard to runbook", "shows no runbook FDSSLAViolation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_link_that_does_not_lead_to_data_is_said(world: World, name: str, said: str) -> None:
    """What is missing, or that Grafana would show no such link."""
    found = attempt(world, name)
    assert isinstance(found, Missing)
    assert said in found.what


def test_a_started_tempo_must_have_the_trace() -> None:
    """The link to each store counts."""
    found = attempt(World(), "logs to trace", tempo=True)
    assert isinstance(found, Missing)
    assert "Tempo has none of 1 traces" in found.what


def test_the_dashboards_of_the_test_are_the_projects() -> None:
    """The alert's dashboard is looked up among the compiled ones."""
    uids = {json.loads(path.read_text())["uid"] for path in ROOT.glob("dashboards/*/*.json")}
    assert NOTES["dashboard_url"].rpartition("/")[2] in uids
