"""The document out of what the backends answer."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from firedrill.parity import compare, read
from firedrill.parity.reading import settle
from firedrill.verify.seams import State

TARGETS = [
    {
        "labels": {"job": "fds-service", "instance": "fds", "system": "shopfds"},
        "scrapeUrl": "u",
        "health": "up",
    },
    {"labels": {"job": "loki", "instance": "loki", "system": "platform"}, "scrapeUrl": "u", "health": "up"},
]
SERIES = {
    "fds-service": [
        {"__name__": "fds_seconds_bucket", "job": "fds-service", "instance": "fds", "system": "s", "le": "1"},
        {"__name__": "fds_seconds_count", "job": "fds-service", "instance": "fds", "system": "s"},
        {"__name__": "up", "job": "fds-service", "instance": "fds", "system": "s"},
        {"__name__": "fds:rate5m", "job": "fds-service"},
        {"__name__": "ALERTS", "job": "fds-service", "alertname": "TargetDown"},
    ],
    "loki": [
        {"__name__": "loki_lines", "job": "loki", "instance": "loki", "system": "platform", "tenant": "x"},
        {"__name__": "go_goroutines", "job": "loki", "instance": "loki", "system": "platform"},
    ],
}
RULE = {
    "name": "Late", "type": "alerting", "query": "x\n  > 1", "duration": 12, "health": "ok",
    "labels": {"severity": "critical"}, "annotations": {"summary": "late"},
}  # fmt: skip
SPANS = [
    {"operationName": "fds.evaluate", "processID": "p1", "tags": [
        {"key": "span.kind", "value": "internal"}, {"key": "score", "value": 1}]},
    {"operationName": "fds.evaluate", "processID": "p1", "tags": [{"key": "decision", "value": "allow"},
        {"key": "error", "value": True}]},
    {"operationName": "POST /x", "processID": "p2", "tags": []},
    {"operationName": "PUT /faults/{name}", "processID": "p1", "tags": []},
]  # fmt: skip


@dataclass
class World:
    """A stack of one service, with backends in memory."""

    root: Path
    runtime: str = "docker"
    pace: str = "demo"
    started: frozenset[str] = frozenset({"fds", "loki", "prometheus", "jaeger"})
    settings: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    label: str = "service"
    down_looks: int = 0

    @property
    def state_folder(self) -> Path:
        """Not read."""
        return self.root

    def url(self, service: str, container_port: int | None = None) -> str:
        """An address that names the service."""
        return f"http://{service}"

    def state(self) -> dict[str, State]:
        """Not read."""
        return {}

    def http(self) -> httpx.Client:
        """Reaches this world only."""
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        query, path = request.url.params, request.url.path
        targets = TARGETS
        if path == "/api/v1/targets" and self.down_looks:
            self.down_looks -= 1
            targets = [one | {"health": "down"} for one in TARGETS]
        job = (query.get("match_target") or query.get("match[]") or '"').split('"')[1]
        data: object = {
            "/api/v1/targets": {"activeTargets": targets},
            "/api/v1/rules": {"groups": [{"name": "fds", "file": "/a/fds/alerts.yml", "rules": [RULE]}]},
            "/api/v1/targets/metadata": [
                {"metric": "fds_seconds", "type": "histogram"}, {"metric": "fds_quiet", "type": "counter"}],
            "/api/v1/series": SERIES.get(job),
            "/loki/api/v1/query_range": {"resultType": "streams", "result": [
                {"stream": {self.label: "fds", "system": "shopfds"},
                 "values": [["1", "line", {"structuredMetadata": {"trace_id": "t"}}], ["2", "line"]]}]},
            "/api/traces": [{"spans": SPANS, "processes": {
                "p1": {"serviceName": "fds", "tags": [{"key": "service.version"}]},
                "p2": {"serviceName": "ecommerce", "tags": [{"key": "other"}]}}}],
        }[path]  # fmt: skip
        return httpx.Response(200, text=json.dumps({"status": "success", "data": data}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The project's files that are read, and the stack."""
    for name in ("services/fds/app.py", "services/ml/app.py", "config/platform/components.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("series: {loki_lines: [tenant], up: []}\n")
    return World(tmp_path)


def test_the_document_of_a_stack(world: World) -> None:
    """Names only, no address, no value that traffic makes; of the platform what somebody names."""
    with world.http() as http:
        found = read(world, http=http)
    assert found["targets"]["fds-service/fds"] == {"labels": TARGETS[0]["labels"], "health": "up"}
    (rule,) = found["rules"]["fds/alerts.yml fds"].items()
    assert rule[0] == "Late{severity=critical}"
    assert (rule[1]["expression"], rule[1]["for"]) == ("x > 1", "12")
    assert found["metrics"] == {
        "fds-service": {
            "fds_seconds": {"type": "histogram", "series": ["le"]},
            "fds_quiet": {"type": "counter"},
            "up": {"series": []},
        },
        "loki": {"loki_lines": {"series": ["tenant"]}},
    }
    assert found["logs"] == {
        "fds": {"labels": ["service", "system"], "metadata": ["trace_id"], "systems": ["shopfds"]},
        "ml": {"labels": ["service", "system"], "metadata": ["trace_id"], "systems": ["shopfds"]},
    }
    assert found["spans"] == {
        "fds": {
            "fds.evaluate (internal)": {"attributes": ["score"], "usual": ["score"], "seen": 1},
            "fds.evaluate (no kind)": {"attributes": ["decision"], "usual": ["decision"], "seen": 1},
        }
    }
    assert found["resources"] == {"fds": ["service.version"]}


def test_a_target_that_comes_up_is_waited_for(world: World) -> None:
    """And one that stays down does not keep the document from being written."""
    world.down_looks = 2
    with world.http() as http:
        settle(world, http=http, deadline_seconds=30.0)
        assert world.down_looks == 0
        assert read(world, http=http)["targets"]["fds-service/fds"]["health"] == "up"
        world.down_looks = 1000
        settle(world, http=http, deadline_seconds=0.0)
        assert read(world, http=http)["targets"]["fds-service/fds"]["health"] == "down"


def test_another_label_is_a_difference(world: World) -> None:
    """From the backends to the line that names it."""
    with world.http() as http:
        first = read(world, http=http)
    world.label = "service_name"
    with world.http() as http:
        second = read(world, http=http)
    assert [one.place for one in compare(first, second).found] == ["logs/fds/labels", "logs/ml/labels"]
