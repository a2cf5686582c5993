"""Metrics: what is exposed, when, and what several workers share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.metrics import Metrics
from telemetry.quantiles import Quantiles


def samples(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.expose(None)[0].decode().splitlines() if line.startswith(name)]


def test_counters_begin_at_zero_when_preset() -> None:
    """Closed label sets are there from the start; without labels a counter always is."""
    metrics = Metrics()
    runs = metrics.counter("runs_total", "Runs.", ("status", "method"))
    metrics.counter("plain_total", "Plain.")
    runs.preset(("success", "rule"), ("error", "rule"))
    runs.add(2, "success", "rule")
    assert samples(metrics, "runs_total") == [
        'runs_total{method="rule",status="success"} 2.0',
        'runs_total{method="rule",status="error"} 0.0',
    ]
    assert samples(metrics, "plain_total") == ["plain_total 0.0"]


def test_a_histogram_has_exactly_its_buckets() -> None:
    """And +Inf."""
    metrics = Metrics()
    seconds = metrics.histogram("seconds", "Seconds.", ("mode",), buckets=(0.1, 1))
    seconds.preset(("fast",))
    seconds.observe(0.1, "fast")
    assert samples(metrics, "seconds_bucket") == [
        'seconds_bucket{le="0.1",mode="fast"} 1.0',
        'seconds_bucket{le="1.0",mode="fast"} 1.0',
        'seconds_bucket{le="+Inf",mode="fast"} 1.0',
    ]


def test_a_gauge_has_no_sample_before_it_is_set() -> None:
    """An unknown precision is not zero; a removed one is unknown again."""
    metrics = Metrics()
    precision = metrics.gauge("precision", "Precision.")
    active = metrics.gauge("active", "Active.", ("tenant",))
    assert samples(metrics, "precision") == samples(metrics, "active") == []
    precision.remove()
    precision.set(0.9)
    active.add(1, "a")
    active.add(-1, "a")
    active.set(3, "b")
    assert samples(metrics, "precision") == ["precision 0.9"]
    assert samples(metrics, "active") == ['active{tenant="a"} 0.0', 'active{tenant="b"} 3.0']
    precision.remove()
    active.remove("b")
    active.remove("never")
    assert samples(metrics, "precision") == []
    assert samples(metrics, "active") == ['active{tenant="a"} 0.0']
    precision.preset()
    assert samples(metrics, "precision") == ["precision 0.0"]


def test_wrong_declarations_and_labels_are_refused() -> None:
    """At once, with the name."""
    metrics = Metrics()
    plain = metrics.counter("a_total", "A.")
    labelled = metrics.counter("b_total", "B.", ("x",))
    with pytest.raises(ValueError, match="a_total is declared twice"):
        metrics.counter("a_total", "A.")
    with pytest.raises(ValueError, match="must end in _total"):
        metrics.counter("c", "C.")
    with pytest.raises(ValueError, match="a_total has the labels"):
        plain.add(1, "x")
    with pytest.raises(ValueError, match="b_total has the labels"):
        labelled.add(1)
    with pytest.raises(ValueError, match="no labels"):
        metrics.gauge("d", "D.").set(1, "x")
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.quantiles("e", "E.", quantiles=(50,))


def test_each_service_has_its_own_registry() -> None:
    """With the process's own metrics in each."""
    first, second = Metrics(), Metrics()
    first.counter("a_total", "A.")
    second.counter("a_total", "A.").add(5)
    assert samples(first, "a_total") == ["a_total 0.0"]
    for prefix in ("process_cpu_seconds_total", "python_info", "python_gc_collections_total"):
        assert samples(first, prefix)


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def window(clock: Clock, capacity: int = 1000) -> Quantiles:
    return Quantiles("q", "Q.", quantiles=(0.5, 0.9, 0.99), window_seconds=60, capacity=capacity, clock=clock)


def read(quantiles: Quantiles) -> dict[str, float]:
    [family] = quantiles.collect()
    return {sample.labels["quantile"]: sample.value for sample in family.samples if sample.name == "q"}


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300))
def test_quantiles_are_values_that_were_observed(values: list[float]) -> None:
    """By nearest rank, over the window."""
    quantiles = window(Clock())
    for each in values:
        quantiles.observe(each)
    ordered = sorted(values)
    got = read(quantiles)
    for name, share in (("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)):
        at_most = sum(value <= got[name] for value in ordered) / len(ordered)
        assert got[name] in values
        assert at_most >= share


def test_the_window_slides_and_is_bounded() -> None:
    """Old values go, an empty window shows no quantile, and memory has a limit."""
    clock = Clock()
    quantiles = window(clock, capacity=10)
    quantiles.observe(100)
    clock.now = 30
    quantiles.observe(1)
    assert read(quantiles)["0.99"] == 100
    clock.now = 61
    assert read(quantiles)["0.99"] == 1
    clock.now = 100
    assert read(quantiles) == {}
    for number in range(100):
        quantiles.observe(number)
    assert read(quantiles)["0.5"] == 94


def test_quantiles_are_exposed_as_a_summary() -> None:
    """With the label quantile."""
    metrics = Metrics()
    latency = metrics.quantiles("latency", "Latency.")
    assert samples(metrics, "latency{") == []
    latency.observe(0.2)
    assert samples(metrics, "latency{") == [
        f'latency{{quantile="{each}"}} 0.2' for each in (0.5, 0.9, 0.95, 0.99)
    ]
    assert samples(metrics, "latency_") == ["latency_count 1.0", "latency_sum 0.2"]


WORKER = """
import os, sys
from pathlib import Path
from telemetry.metrics import Metrics
metrics = Metrics(multiprocess_dir=Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
runs = metrics.counter("runs_total", "Runs.", ("status",))
seconds = metrics.histogram("seconds", "Seconds.", buckets=(1,))
active = metrics.gauge("active", "Active.")
loss = metrics.gauge("loss", "Loss.", across_workers="latest")
runs.add(1, "ok"); seconds.observe(0.5); active.set(1); loss.set(float(sys.argv[1]))
print("ready", flush=True)
if sys.argv[2] == "expose":
    print(metrics.expose("application/openmetrics-text")[0].decode())
if sys.argv[2] == "close":
    metrics.close()
if sys.argv[2] == "stay":
    sys.stdin.read()
"""


def test_several_workers_expose_one_sum(tmp_path: Path) -> None:
    """Gauges of workers that have ended or were killed no longer count; the latest value is the latest."""
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "PYTHONPATH": ":".join(path for path in sys.path if path),
    }

    def worker(loss: int, mode: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(loss), mode]
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    closed = worker(1, "close")
    closed.communicate(timeout=60)
    stays, killed = worker(2, "stay"), worker(3, "stay")
    for each in (stays, killed):
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    killed.kill()
    killed.communicate()
    text, _ = worker(4, "expose").communicate(timeout=60)
    stays.communicate()
    lines = text.splitlines()
    assert 'runs_total{status="ok"} 4.0' in lines
    assert 'seconds_bucket{le="1.0"} 4.0' in lines
    assert "active 2.0" in lines
    assert "loss 4.0" in lines
