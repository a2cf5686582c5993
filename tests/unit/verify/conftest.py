"""A small world for verify: a stack and backends in memory, whose parts can be broken one by one."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

PROBE = """
job: judgment-service
request: {method: POST, path: /api/v1/judgment/execute, body: {tenant_id: probe, amount: "{number}"}}
metrics: {moving: [judgment_executions_total], present: [judgment_cache_hits_total]}
logs: [Judgment execution completed, Request handled]
spans: [judgment.execute, judgment.rule_execution]
exemplar: {query: 'judgment_duration_seconds_bucket{tenant_id="probe"}', exact: true}
"""
ALERTS = (
    "groups: [{name: judgment, rules: [{alert: JudgmentHighErrorRate, expr: 'up'}, {record: x, expr: y}]}]"
)
TARGET = "- targets: ['{0}:1']\n  labels: {{system: s, job: {0}-service, instance: {0}}}\n"
DATASOURCES = "apiVersion: 1\ndatasources: [{uid: prometheus}, {uid: tempo}]\n"


@dataclass(frozen=True)
class State:
    """The runtime's word about one service."""

    phase: str
    detail: str = ""


@dataclass
class World:
    """A stack and what its backends hold; change `phases` and the switches to break it."""

    root: Path
    runtime: str = "local"
    pace: str = "demo"
    started: frozenset[str] = frozenset(
        [
            "judgment",
            "prometheus",
            "alertmanager",
            "loki",
            "promtail",
            "collector",
            "jaeger",
            "inbox",
            "postgres",
        ]
    )
    settings: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    phases: dict[str, State] = field(default_factory=dict)
    status: int = 200
    trace_header: bool = True
    counters: bool = True
    exemplars: bool = True
    rule_error: str = ""
    connected: bool = True
    loaded: tuple[str, ...] = ("JudgmentHighErrorRate",)
    nonsense: str = ""
    messages: tuple[str, ...] = ("Judgment execution completed", "Request handled")
    spans: tuple[str, ...] = ("POST /x", "judgment.execute", "judgment.rule_execution")
    requests: list[httpx.Request] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    more_spans: list[dict[str, object]] = field(default_factory=list)
    leaks: set[str] = field(default_factory=set)
    canaries: list[httpx.Request] = field(default_factory=list)

    @property
    def state_folder(self) -> Path:
        """Holds the log files."""
        return self.root / "state"

    def url(self, service: str, container_port: int | None = None) -> str:
        """An address that names the service."""
        return f"http://{service}"

    def state(self) -> dict[str, State]:
        """All ready, but for what a test says."""
        return {name: State("ready") for name in self.started} | self.phases

    def runs(self, *names: str) -> bool:
        """Whether all of these are ready."""
        return all(self.state()[name].phase == "ready" for name in names)

    def http(self) -> httpx.Client:
        """A client that reaches this world only."""
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        service = request.url.host
        if service not in self.started or not self.runs(service):
            raise httpx.ConnectError("connection refused", request=request)
        answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {
            "judgment": self._judgment,
            "prometheus": self._prometheus,
            "loki": self._loki,
            "jaeger": self._jaeger,
            "tempo": self._tempo,
            "grafana": self._grafana,
        }
        plain = httpx.Response(200, json={"versionInfo": {"version": "0.34.2"}})
        if request.url.path.startswith("/api/v1/messages"):
            return self._inbox(request)
        if self.nonsense == service:
            return httpx.Response(200, json={"data": 7})
        return answers[service](request) if service in answers else plain

    def told(self, place: str) -> list[str]:
        """What the canary requests have left in a place: their markers, and all of it where it leaks."""
        texts = []
        for request in self.canaries:
            path = request.url.path.removeprefix("/canary").strip("/")
            agent = request.headers["user-agent"]
            text = path or request.url.params.get("q") or (agent if "canary" in agent else "")
            texts.append(text if place in self.leaks else text.split(" ")[0])
        return texts

    def _inbox(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/1"):
            return httpx.Response(200, json={"id": 1, "raw": self.told("inbox")})
        return httpx.Response(200, json={"messages": [{"id": 1}] if "inbox" in self.leaks else []})

    def _judgment(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(200, text=" ".join(self.told("metrics")) if "metrics" in self.leaks else "")
        if request.url.path.startswith("/canary"):
            self.canaries.append(request)
            file = self.state_folder / "data/service-logs/judgment.log"
            if "/canary/" in request.url.path:
                with file.open("a") as stream:
                    stream.write(self.told("file")[-1] + "\n")
            return httpx.Response(404, text=self.told("answer")[-1])
        self.requests.append(request)
        trace_id = request.headers["traceparent"].split("-")[1]
        if self.status == 200:
            self.traces.append(trace_id)
        return httpx.Response(
            self.status, text="{}", headers={"X-Trace-Id": trace_id} if self.trace_header else {}
        )

    def _prometheus(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path.removeprefix("/api/v1/"), request.url.params
        moved = len(self.traces) if "time" not in params and self.counters and self.runs("judgment") else 0
        data: object
        if path == "query":
            data = {
                "resultType": "vector",
                "result": [
                    {"metric": {"__name__": name}, "value": [time.time(), str(7 + moved)]}
                    for name in ("judgment_executions_total", "judgment_cache_hits_total")
                    if name in params["query"]
                ],
            }
        elif path == "targets":
            data = {"activeTargets": [self._target("judgment"), self._target("prometheus")]}
        elif path == "rules":
            rules = [
                {"name": name, "type": "alerting", "health": "ok", "lastError": self.rule_error}
                for name in self.loaded
            ]
            data = {"groups": [{"name": "g", "file": "f", "rules": rules}]}
        elif path == "alertmanagers":
            data = {
                "activeAlertmanagers": [{"url": "http://alertmanager/api/v2/alerts"}]
                if self.connected
                else []
            }
        else:
            found = [
                {"labels": {"trace_id": one}, "value": "1", "timestamp": time.time()} for one in self.traces
            ]
            data = [{"seriesLabels": {}, "exemplars": found if self.exemplars else []}]
        return httpx.Response(200, json={"status": "success", "data": data})

    def _target(self, name: str) -> dict[str, object]:
        up = self.runs(name)
        labels = {"system": "s", "job": f"{name}-service", "instance": name}
        scraped = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        error = "" if up else "connection refused"
        health = "up" if up else "down"
        url = f"http://{name}/metrics"
        return {
            "labels": labels,
            "scrapeUrl": url,
            "health": health,
            "lastScrape": scraped,
            "lastError": error,
        }

    def _loki(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/labels"):
            return httpx.Response(200, json={"data": ["service"]})
        if "|~" in request.url.params["query"]:
            found = self.told("loki") if self.runs("promtail") else []
            lines = [[str(i), text, {}] for i, text in enumerate(found)]
            streams = [{"stream": {"service": "judgment"}, "values": lines}]
            return httpx.Response(200, json={"data": {"resultType": "streams", "result": streams}})
        stored = self.runs("promtail") and any(one in request.url.params["query"] for one in self.traces)
        values = [[str(i), json.dumps({"message": text}), {}] for i, text in enumerate(self.messages)]
        streams = [{"stream": {"service": "judgment"}, "values": values}] if stored else []
        return httpx.Response(200, json={"data": {"resultType": "streams", "result": streams}})

    def _stored(self, request: httpx.Request) -> str | None:
        wanted = request.url.path.rsplit("/", 1)[1]
        if wanted == "traces":  # a search by service
            return self.traces[-1] if self.traces and self.runs("collector") else None
        return wanted if wanted in self.traces and self.runs("collector") else None

    def _jaeger(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/services":
            return httpx.Response(200, json={"data": ["judgment"] if self.runs("collector") else []})
        own = {one.headers["traceparent"].split("-")[1] for one in self.canaries}
        if request.url.path.rsplit("/", 1)[1] in own and self.runs("collector"):
            return httpx.Response(200, json={"data": self.told("jaeger")})
        trace_id = self._stored(request)
        if trace_id is None:
            return httpx.Response(404, json={"errors": [{"code": 404, "msg": "trace not found"}]})
        spans = [
            {"traceID": trace_id, "spanID": str(i), "operationName": name, "startTime": i, "duration": 1,
             "processID": "p1"}
            for i, name in enumerate(self.spans)
        ] + self.more_spans  # fmt: skip
        processes = {"p1": {"serviceName": "judgment"}, "p2": {"serviceName": "fds"}}
        return httpx.Response(
            200, json={"data": [{"traceID": trace_id, "spans": spans, "processes": processes}]}
        )

    def _tempo(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"trace": {}})

    def _grafana(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != "Basic YWRtaW46c2VjcmV0":
            return httpx.Response(401, json={"message": "Invalid username or password"})
        return httpx.Response(200, json={"name": "Prometheus", "status": "OK", "message": "works"})


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole world: everything that verify looks for is there."""
    slice_folder = tmp_path / "services/judgment"
    slice_folder.mkdir(parents=True)
    (slice_folder / "probe.yml").write_text(PROBE)
    (slice_folder / "app.py").touch()
    (tmp_path / "state/data/service-logs").mkdir(parents=True)
    (slice_folder / "alerts.yml").write_text(ALERTS)
    targets = tmp_path / "config/prometheus/targets"
    targets.mkdir(parents=True)
    for name in ("judgment", "prometheus", "tempo"):
        (targets / f"{name}.yml").write_text(TARGET.format(name))
    datasources = tmp_path / "config/grafana/provisioning/datasources"
    datasources.mkdir(parents=True)
    (datasources / "datasources.yml").write_text(DATASOURCES)
    return World(tmp_path)
