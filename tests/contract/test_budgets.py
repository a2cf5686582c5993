"""Every demo service has budgets, and every label of a metric has a bound: nothing grows without limit."""

import ast
import importlib
import inspect
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from firedrill.report.budgets import FILE, read_budgets
from firedrill.report.disk import STORES
from firedrill.report.model import ANY, Budget, Budgets
from firedrill.report.series import RULES, SPANS
from telemetry.metrics import MAX_SERIES, Metrics
from telemetry.request_metrics import RequestMetricNames

ROOT = Path(__file__).resolve().parents[2]
BUDGETS = read_budgets(ROOT / FILE)
SLICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/signals.py"))
PER_SERVICE = (
    "series", "log_lines_per_request", "log_bytes_per_request", "log_bytes_per_day", "spans_per_request",
    "span_names",
)  # fmt: skip
DECLARE = {"counter", "gauge", "histogram"}
CLIENTS = frozenset({"implementation", "major", "minor", "patchlevel", "version", "generation"})
"""Labels that Prometheus's client library has of itself."""
PARTS = frozenset({"le", "quantile"})


class Declared(NamedTuple):
    """A metric and its label names, as its declaration has them."""

    metric: str
    labels: tuple[str, ...]
    where: str


def declarations(text: str, where: str) -> Iterator[Declared]:
    """The metrics that a module declares with labels; a name that is made up of parts is `?`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DECLARE:
            given = [*node.args[2:3], *(one.value for one in node.keywords if one.arg == "labels")]
            for labels in given:
                if isinstance(labels, ast.Tuple) and all(
                    isinstance(one, ast.Constant) for one in labels.elts
                ):
                    name = node.args[0].value if isinstance(node.args[0], ast.Constant) else "?"
                    names = tuple(str(one.value) for one in labels.elts if isinstance(one, ast.Constant))
                    yield Declared(str(name), names, where)


class Recorder(Metrics):
    """Metrics that remember with which labels each was declared."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, tuple[str, ...]]] = []
        super().__init__()

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Any:
        self.rows.append((name, tuple(labels)))
        return super().counter(name, help, labels)

    def histogram(self, name: str, help: str, labels: Sequence[str] = (), **rest: Any) -> Any:
        self.rows.append((name, tuple(labels)))
        return super().histogram(name, help, labels, **rest)

    def gauge(self, name: str, help: str, labels: Sequence[str] = (), **rest: Any) -> Any:
        self.rows.append((name, tuple(labels)))
        return super().gauge(name, help, labels, **rest)


def started(service: str) -> Recorder:
    """The metrics of a slice that has just started: closed sets are all there."""
    module = importlib.import_module(f"services.{service}.signals")
    metrics = Recorder()
    takes_clock = "clock" in inspect.signature(module.Signals).parameters
    module.Signals(metrics, **({"clock": lambda: 0.0} if takes_clock else {}))
    return metrics


@cache
def all_declarations() -> list[Declared]:
    """Those of the slices and of what they share, the request metrics included."""
    found = [
        Declared(name, labels, f"services/{service}/signals.py")
        for service in SLICES
        for name, labels in started(service).rows
        if labels
    ]
    seen = {one.metric for one in found}
    found += [
        one
        for package in ("services", "telemetry", "faults", "limits")
        for path in sorted((ROOT / package).rglob("*.py"))
        for one in declarations(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
        if one.metric not in seen  # a slice may declare some of its gauges with their first value
    ]
    own = importlib.import_module("services.ecommerce.signals").REQUEST_NAMES
    for names in (RequestMetricNames(), own):
        where = (names.method, names.endpoint)
        found.append(Declared(str(names.requests), (*where, names.status), "telemetry/request_metrics.py"))
        found.append(Declared(str(names.duration), where, "telemetry/request_metrics.py"))
    return found


def unbounded(found: list[Declared], budgets: Budgets) -> list[str]:
    """Metric and label of each that has no budget for its values."""
    return [
        f"{one.metric}.{label} ({one.where})"
        for one in found
        for label in one.labels
        if bound(one.metric, label, budgets) is None
    ]


def bound(metric: str, label: str, budgets: Budgets) -> Budget | None:
    """How many values the label of a metric may have."""
    return budgets.of("label_values", f"{metric}.{label}", label)


@pytest.mark.parametrize("measure", PER_SERVICE)
@pytest.mark.parametrize("service", SLICES)
def test_every_demo_service_has_budgets_of_its_own(service: str, measure: str) -> None:
    """Not only those of every service."""
    assert service in BUDGETS.entries[measure], f"{FILE}: {measure} has no entry {service}"


@pytest.mark.parametrize("measure", [*PER_SERVICE, "label_values", "disk_per_day"])
def test_no_budget_is_of_something_that_is_not_there(measure: str) -> None:
    """Services, stores and labels that have gone leave no entry behind."""
    targets = {path.stem for path in (ROOT / "config/prometheus/targets").rglob("*.yml")}
    labels = {label for one in all_declarations() for label in one.labels}
    labels |= {f"{one.metric}.{label}" for one in all_declarations() for label in one.labels}
    known = {"label_values": labels | CLIENTS, "disk_per_day": set(STORES)}
    there = known.get(measure, targets | {"all", RULES, SPANS}) | {ANY}
    assert set(BUDGETS.entries[measure]) <= there


def test_every_label_of_every_metric_has_a_bound() -> None:
    """A label of ids or of what clients send is found out here: nobody can say how many values it has."""
    found = all_declarations()
    assert len(found) > 40
    assert not unbounded(found, BUDGETS)
    assert ANY not in BUDGETS.entries["label_values"], "a label is bounded by its name, not with all others"


def test_a_label_without_bound_is_named() -> None:
    """The test above can fail."""
    text = 'metrics.counter("orders_total", "Orders", ("status", "user_id"))\nmetrics.gauge("x", "y")'
    [one] = unbounded(list(declarations(text, "services/x/signals.py")), BUDGETS)
    assert one == "orders_total.user_id (services/x/signals.py)"
    keyword = 'metrics.histogram("took_seconds", "Time", labels=("request_id",))'
    assert len(unbounded(list(declarations(keyword, "x")), BUDGETS)) == 1


@pytest.mark.parametrize("service", SLICES)
def test_what_begins_at_zero_is_within_its_bound(service: str) -> None:
    """And its labels are those that were found in the code."""
    known = {label for one in all_declarations() for label in one.labels} | CLIENTS
    for family in started(service).registry.collect():
        values: dict[str, set[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for label in values.keys() - PARTS:
            assert label in known, f"{name} has a label {label} that no declaration shows"
            budget = bound(name, label, BUDGETS)
            assert budget is not None
            assert len(values[label]) <= budget.at_most, f"{name}.{label}"


@pytest.mark.parametrize("one", all_declarations(), ids=lambda one: f"{one.metric}-{one.where}")
def test_a_metric_with_all_its_labels_full_stays_below_the_overflow(one: Declared) -> None:
    """Beyond it the telemetry library puts what is new into one series, and the numbers mean nothing."""
    most = [bound(one.metric, label, BUDGETS) for label in one.labels]
    assert math.prod(each.at_most for each in most if each) <= MAX_SERIES


def test_every_store_has_a_budget_for_its_disk() -> None:
    """And each is a volume of the topology, where the report looks for it."""
    assert set(BUDGETS.entries["disk_per_day"]) == set(STORES)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    for service, volume in STORES.items():
        mounted = [str(one).partition(":")[0] for one in compose["services"][service]["volumes"]]
        assert volume in mounted


def test_journeys_begin_at_demo_services_and_have_budgets() -> None:
    """An order among them."""
    assert "purchase" in BUDGETS.journeys
    for name, journey in BUDGETS.journeys.items():
        assert journey.service in SLICES
        assert name in BUDGETS.entries["spans_per_journey"]
