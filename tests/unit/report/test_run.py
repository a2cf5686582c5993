"""The whole report on a stack whose backends are written by hand: exit code, names and files."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from firedrill.clients import Unreachable
from firedrill.errors import NotRunning, UsageError
from firedrill.report.model import Budget, Budgets, Journey
from firedrill.report.run import run

AT = 10_000.0
BUDGETS = Budgets(
    {
        "series": {"*": Budget(5, "enough")},
        "log_lines_per_request": {"*": Budget(3, "two and one to spare")},
        "disk_per_day": {"*": Budget(1e9, "a laptop")},
    },
    {"purchase": Journey("shop", "POST /buy")},
)


@dataclass(frozen=True)
class State:
    """How a service is."""

    since: float = 5.0


@dataclass(frozen=True)
class Stack:
    """A stack of one demo service and its backends, in a folder of the test."""

    root: Path
    runtime: str = "local"
    pace: str = "demo"
    started: frozenset[str] = frozenset({"shop", "prometheus", "loki", "jaeger"})

    @property
    def state_folder(self) -> Path:
        return self.root / "state"

    def url(self, service: str, container_port: int | None = None) -> str:
        return f"http://{service}"

    def state(self) -> Mapping[str, State]:
        return {"shop": State()}


@dataclass
class Backends:
    """Prometheus, Loki and Jaeger: one service, `scrapes` scrapes old, `lines` lines for 100 requests."""

    scrapes: float = 40.0
    lines: float = 200.0
    away: str = ""
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == self.away:
            raise httpx.ConnectError("refused")
        answer: Callable[[httpx.Request], Any] = getattr(self, request.url.host)
        return httpx.Response(200, json=answer(request))

    def prometheus(self, request: httpx.Request) -> Any:
        if request.url.path == "/api/v1/status/config":
            return {"data": {"yaml": "global: {scrape_interval: 15s}"}}
        query = request.url.params["query"]
        self.asked.append(query)
        if query.startswith("count_over_time"):
            return vector(({}, self.scrapes))
        if query.startswith("sum by (job)"):
            return vector(({"job": "shop"}, 100.0))
        if query.startswith("{"):
            names = [{"__name__": "asked_total", "job": "shop", "status": str(one)} for one in (200, 500)]
            return vector(*((one, 1.0) for one in names))
        return vector()

    def loki(self, request: httpx.Request) -> Any:
        value = self.lines * (100 if "bytes" in request.url.params["query"] else 1)
        return vector(({"service": "shop"}, value))

    def jaeger(self, request: httpx.Request) -> Any:
        if request.url.path.endswith("/operations"):
            return {"data": ["POST /buy", "SELECT", "POST /buy"]}
        spans = [
            {"traceID": "t", "spanID": str(one), "operationName": "POST /buy", "processID": "p",
             "startTime": 1, "duration": 1, "tags": [{"key": "span.kind", "value": "server"}]}
            for one in range(3)
        ]  # fmt: skip
        traces = [{"traceID": f"t{one}", "spans": spans} for one in range(30)]
        return {"data": [{**one, "processes": {"p": {"serviceName": "shop"}}} for one in traces]}


def vector(*series: tuple[Mapping[str, str], float]) -> Any:
    """Prometheus's answer to an instant query, which is also Loki's."""
    result = [{"metric": labels, "value": [AT, str(value)]} for labels, value in series]
    return {"data": {"resultType": "vector", "result": result}}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """The stack's folder: a slice, its target and some data."""
    (tmp_path / "services/shop").mkdir(parents=True)
    (tmp_path / "services/shop/signals.py").touch()
    targets = tmp_path / "config/prometheus/targets"
    targets.mkdir(parents=True)
    text = "- targets: ['shop:1']\n  labels: {system: s, job: shop, instance: shop}\n"
    (targets / "shop.yml").write_text(text)
    data = tmp_path / "state/data/loki-data"
    data.mkdir(parents=True)
    (data / "chunk").write_bytes(b"x" * 10_000)
    return Stack(tmp_path)


def report(
    stack: Stack, backends: Backends, budgets: Budgets = BUDGETS, *, at: float = AT, seconds: float = 0.0
) -> tuple[int, str, Path]:
    """Exit code, what was printed, and the folder of what was written."""
    text, folder, now = io.StringIO(), stack.root / "reports", [at]

    def pause(length: float) -> None:
        now[0] += length
        (stack.state_folder / "data/loki-data/chunk").write_bytes(b"x" * 1_000_000)

    with httpx.Client(transport=httpx.MockTransport(backends)) as http:
        code = run(
            Console(file=text, width=200), stack, budgets,
            folder=folder, http=http, seconds=seconds, clock=lambda: now[0], pause=pause,
        )  # fmt: skip
    return code, text.getvalue(), folder


def found(folder: Path) -> dict[tuple[str, str], Any]:
    """The figures of the JSON by measure and subject."""
    document = json.loads((folder / "report.json").read_text())
    return {(one["measure"], one["subject"]): one["value"] for one in document["figures"]}


def test_within_every_budget_the_exit_code_is_zero(stack: Stack) -> None:
    """Each figure is there, in JSON and Markdown too."""
    code, said, folder = report(stack, Backends())
    assert code == 0, said
    values = found(folder)
    assert values["series", "shop"] == 2
    assert values["label_values", "status"] == 2
    assert values["log_lines_per_request", "shop"] == 2.0
    assert values["log_bytes_per_day", "all"] == 20_000 / 600 * 86_400
    assert values["spans_per_request", "shop"] == 1.0
    assert values["span_names", "shop"] == 2
    assert values["spans_per_journey", "purchase"] == 3.0
    assert values["disk_per_day", "loki"] is None
    assert "Cardinality and volume" in (folder / "report.md").read_text()


def test_a_budget_that_is_too_small_is_named_and_fails(stack: Stack) -> None:
    """Exit code 1, on the terminal and in the JSON."""
    code, said, folder = report(stack, Backends(lines=400.0))
    assert code == 1
    assert "OVER BUDGET  log_lines_per_request of shop: 4, budget 3 (two and one to spare)" in said
    exceeded = json.loads((folder / "report.json").read_text())["exceeded"]
    assert exceeded == ["log_lines_per_request of shop"]


def test_the_disk_is_watched_for_as_long_as_asked(stack: Stack) -> None:
    """And compared with that look by the next report."""
    tight = Budgets({"disk_per_day": {"loki": Budget(1e6, "tight")}}, {})
    code, said, folder = report(stack, Backends(), tight, seconds=100.0)
    assert code == 1
    assert "OVER BUDGET  disk_per_day of loki" in said
    grown = found(folder)["disk_per_day", "loki"]
    assert grown == pytest.approx(1e6 / 100 * 86_400, rel=0.05)
    report(stack, Backends(), at=AT + 1000)
    assert found(folder)["disk_per_day", "loki"] == pytest.approx(grown / 10)


def test_a_young_stack_has_no_report_yet(stack: Stack) -> None:
    """It says how long it has been watched."""
    with pytest.raises(NotRunning, match="not run long enough") as caught:
        report(stack, Backends(scrapes=1.0))
    assert "scraped for 15 s" in caught.value.why


def test_rates_are_those_of_the_time_that_was_seen(stack: Stack) -> None:
    """Ten minutes at the most."""
    backends = Backends(scrapes=8.0)
    report(stack, backends)
    assert any("[120s]" in one for one in backends.asked)


def test_rates_are_those_of_the_time_that_is_watched(stack: Stack) -> None:
    """So that what came before it does not count; too short a time is refused before anything is asked."""
    backends = Backends()
    report(stack, backends, seconds=90.0)
    assert any("[90s]" in one for one in backends.asked)
    assert not any("[600s]" in one for one in backends.asked)
    with pytest.raises(UsageError, match="too short"):
        report(stack, Backends(away="prometheus"), seconds=5.0)


@pytest.mark.parametrize("name", ["prometheus", "loki", "jaeger"])
def test_a_backend_that_is_away_is_named(stack: Stack, name: str) -> None:
    """And no report is written that would look complete."""
    with pytest.raises(Unreachable, match=rf"(?i){name} does not answer"):
        report(stack, Backends(away=name))
    assert not (stack.root / "reports/report.json").exists()


def test_in_containers_the_disk_is_left_out_and_said_so(stack: Stack) -> None:
    """The volumes belong to the engine."""
    code, said, folder = report(replace(stack, runtime="docker"), Backends())
    assert code == 0
    assert "disk is not measured here" in said
    assert ("disk_per_day", "loki") not in found(folder)
