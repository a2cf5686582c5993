"""Counters and histograms of our own expose what the client's own would, letter by letter."""

from __future__ import annotations

from math import inf, nan

import prometheus_client as prom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from telemetry.series import CounterFamily, HistogramFamily

prom.disable_created_metrics()  # type: ignore[no-untyped-call]  # as telemetry.metrics does
labels = st.sampled_from(["a", "b", 'q"uote', "é\n"])
buckets = st.lists(st.floats(-5, 100), min_size=1, max_size=5, unique=True).map(sorted)


def texts(registry: CollectorRegistry) -> tuple[bytes, bytes]:
    return generate_latest(registry), openmetrics.generate_latest(registry)


@given(buckets, st.lists(st.tuples(labels, st.floats(-10, 200) | st.sampled_from([inf, 0.0])), max_size=20))
def test_histograms_are_exposed_as_the_clients_own(
    bounds: list[float], observed: list[tuple[str, float]]
) -> None:
    """Buckets, count and sum, in both formats."""
    theirs, own = CollectorRegistry(), CollectorRegistry()
    reference = prom.Histogram("seconds", "Seconds.", ("x",), registry=theirs, buckets=bounds)
    family = HistogramFamily("seconds", "Seconds.", ("x",), bounds)
    own.register(family)
    for label, value in observed:
        reference.labels(label).observe(value)
        family.labels(label).observe(value, None)
    assert texts(own) == texts(theirs)


@given(st.lists(st.tuples(labels, st.floats(0, 1e6)), max_size=20))
def test_counters_are_exposed_as_the_clients_own(added: list[tuple[str, float]]) -> None:
    """In both formats."""
    theirs, own = CollectorRegistry(), CollectorRegistry()
    reference = prom.Counter("runs_total", "Runs.", ("x",), registry=theirs)
    family = CounterFamily("runs_total", "Runs.", ("x",))
    own.register(family)
    for label, amount in added:
        reference.labels(label).inc(amount)
        family.labels(label).inc(amount, None)
    assert texts(own) == texts(theirs)


def test_each_bucket_keeps_its_latest_exemplar() -> None:
    """With both ids, the value and a time, as OpenMetrics wants them."""
    registry = CollectorRegistry()
    family = HistogramFamily("seconds", "Seconds.", (), (1, 2))
    registry.register(family)
    for span_id, value in ((1, 0.5), (2, 0.7), (3, 5.0)):
        family.labels().observe(value, (255, span_id))
    family.labels().observe(0.9, None)
    [parsed] = text_string_to_metric_families(openmetrics.generate_latest(registry).decode())
    found = {sample.labels["le"]: sample.exemplar for sample in parsed.samples if sample.exemplar}
    assert found.keys() == {"1.0", "+Inf"}
    assert found["1.0"].labels == {"trace_id": f"{255:032x}", "span_id": f"{2:016x}"}
    assert (found["1.0"].value, found["+Inf"].value) == (0.7, 5.0)
    assert float(found["1.0"].timestamp) > 1.6e9


def test_what_the_client_refuses_is_refused() -> None:
    """Names, labels, buckets and amounts; a value that is no number is left out."""
    with pytest.raises(ValueError, match="only grows"):
        CounterFamily("a_total", "A.", ()).labels().inc(-1, None)
    for name, given_labels, bounds in (
        ("a", ("le",), (1,)),
        ("a", (), (2, 1)),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - the client's own words
            HistogramFamily(name, "A.", given_labels, bounds)
    series = HistogramFamily("a", "A.", (), (1,)).labels()
    series.observe(nan, None)
    assert series.read()[:2] == ([0, 0], 0)
