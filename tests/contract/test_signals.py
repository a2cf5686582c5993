"""The metrics that the slices declare are those of expected_signals.yaml: names, types, labels, buckets."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from telemetry.metrics import Metrics

EXPECTED = yaml.safe_load((Path(__file__).parent / "expected_signals.yaml").read_text(encoding="utf-8"))
SERVICES = EXPECTED["services"]
NAMES = [(service, name) for service, one in SERVICES.items() for name in one["metrics"]]
LABELLED = [one for one in NAMES if not SERVICES[one[0]]["metrics"][one[1]].get("unset")]
SPECIAL = frozenset({"le", "quantile"})


def declared(service: str) -> dict[str, Metric]:
    """The families of a service that has just started, by the name in which they are exposed."""
    module = importlib.import_module(f"services.{service}.signals")
    metrics = Metrics()
    module.Signals(metrics, clock=lambda: 0.0)
    families = metrics.registry.collect()
    return {f"{one.name}_total" if one.type == "counter" else one.name: one for one in families}


@pytest.fixture(scope="module")
def families() -> dict[str, dict[str, Metric]]:
    """Every service's families."""
    return {service: declared(service) for service in SERVICES}


def wanted(service: str, name: str) -> dict[str, Any]:
    """What is expected of a metric."""
    found: dict[str, Any] = SERVICES[service]["metrics"][name]
    return found


@pytest.mark.parametrize(("service", "name"), NAMES)
def test_metric_is_declared_with_its_type(
    families: dict[str, dict[str, Metric]], service: str, name: str
) -> None:
    """Each expected metric is there from the start, but for gauges that have no value yet."""
    if wanted(service, name).get("unset"):
        assert name not in families[service], f"{name} must have no sample before it has a value"
        return
    assert name in families[service], f"{service} does not declare {name}"
    assert families[service][name].type == wanted(service, name)["type"]


@pytest.mark.parametrize(("service", "name"), LABELLED)
def test_label_names_are_exact(families: dict[str, dict[str, Metric]], service: str, name: str) -> None:
    """Every sample has exactly the expected label names."""
    samples = families[service][name].samples
    assert samples, f"{name} has no sample at the start: a closed label set begins at 0"
    labels = {frozenset(sample.labels) - SPECIAL for sample in samples}
    assert labels == {frozenset(wanted(service, name)["labels"])}


@pytest.mark.parametrize(("service", "name"), [one for one in NAMES if wanted(*one)["type"] == "histogram"])
def test_buckets_are_exact_or_have_the_edges(
    families: dict[str, dict[str, Metric]], service: str, name: str
) -> None:
    """Given buckets are exact; others have an edge at each target, so that a quantile is exact there."""
    bounds = {
        float(sample.labels["le"]) for sample in families[service][name].samples if "le" in sample.labels
    }
    bounds.discard(float("inf"))
    expected = wanted(service, name)
    if "buckets" in expected:
        assert sorted(bounds) == expected["buckets"]
    missing = set(expected.get("edges", ())) - bounds
    assert not missing, f"{name} has no bucket edge at {sorted(missing)}"


@pytest.mark.parametrize(("service", "name"), [one for one in NAMES if "values" in wanted(*one)])
def test_closed_label_sets_begin_at_zero(
    families: dict[str, dict[str, Metric]], service: str, name: str
) -> None:
    """increase() never sees the first event of a series that begins with it."""
    samples = families[service][name].samples
    for label, values in wanted(service, name)["values"].items():
        there = {sample.labels[label] for sample in samples}
        assert set(values) <= there, f"{name}: {label} lacks {sorted(set(values) - there)}"
    assert {sample.value for sample in samples} == {0.0}


@pytest.mark.parametrize("service", SERVICES)
def test_what_moves_a_metric_exists(service: str) -> None:
    """Each fault is one of the service's, with such parameters; what it gives is among the values."""
    known = {fault.name: fault for fault in importlib.import_module(f"services.{service}.faults").FAULTS}
    for name, metric in SERVICES[service]["metrics"].items():
        given = {label: set(values) for label, values in metric.get("never", {}).items()}
        for move in (move for move in metric["moves"] if move != "traffic"):
            fault = known[move.get("fault") or move["after"]]
            assert move.get("parameters", {}).keys() <= {one.name for one in fault.parameters}, name
            for label, value in move.get("only", {}).items():
                given.setdefault(label, set()).add(value)
        values = metric.get("values", {})
        foreign = [label for label, named in given.items() if not named <= set(values.get(label, ()))]
        assert not foreign, f"{name}: {foreign} names values that are not listed"
        without_traffic = [label for label in values if set(values[label]) != given.get(label, set())]
        if "traffic" not in metric["moves"]:
            assert not without_traffic, f"{name}: nothing gives some value of {without_traffic}"


@pytest.mark.parametrize("service", SERVICES)
def test_log_messages_and_spans_are_in_the_slice(service: str, root: Path) -> None:
    """The fixed names stand in signals.py, which declares every log event and span once."""
    text = (root / "services" / service / "signals.py").read_text(encoding="utf-8")
    for message in SERVICES[service]["logs"]:
        assert f'"{message}"' in text, f"signals.py has no log event {message!r}"
    prefixes = {name.split(".")[0] for name in SERVICES[service]["spans"]}
    assert prefixes == {service}


@pytest.mark.parametrize("service", SERVICES)
def test_every_metric_has_help(families: dict[str, dict[str, Metric]], service: str) -> None:
    """Help says what is counted; nothing is left to guess."""
    silent = [name for name, family in families[service].items() if len(family.documentation) < 10]
    assert not silent


@pytest.mark.parametrize("service", SERVICES)
def test_probe_names_only_what_is_declared(
    families: dict[str, dict[str, Metric]], service: str, root: Path
) -> None:
    """probe.yml, from which verify works, cannot name a metric of the service that does not exist."""
    plan = yaml.safe_load((root / "services" / service / "probe.yml").read_text(encoding="utf-8"))
    series = {sample.name for family in families[service].values() for sample in family.samples} | set(
        families[service]
    )
    named = [*plan["metrics"]["moving"], *plan["metrics"].get("present", ())]
    foreign = [name for name in named if name not in series and not name.startswith(("http_", "process_"))]
    assert not foreign
    assert plan["job"] == SERVICES[service]["job"]
    assert set(SERVICES[service]["logs"]) <= set(plan["logs"])
    assert set(SERVICES[service]["spans"]) <= set(plan["spans"])
