"""Every metric, log event and span of expected_signals.yaml on the running stack: exact, and moving."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from firedrill.wait import poll_until

EXPECTED = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "contract/expected_signals.yaml").read_text(encoding="utf-8")
)
# The others are compared with their declarations in tests/contract and move in their unit tests; verify
# looks at them live. They join here when background traffic is known to reach all their values in time.
LIVE = ("judgment", "fds")
SERVICES = {name: one for name, one in EXPECTED["services"].items() if name in LIVE}
METRICS = [(service, name) for service, one in SERVICES.items() for name in one["metrics"]]
FAULTS = [
    (service, name, move["fault"], move.get("only", {}))
    for service, one in SERVICES.items()
    for name, metric in one["metrics"].items()
    for move in metric["moves"]
    if isinstance(move, dict)
]
WITHIN_SECONDS = 60
SPECIAL = frozenset({"le", "quantile"})


def samples(stack: Any, service: str) -> dict[str, list[Sample]]:
    """What /metrics of a service says now in OpenMetrics, by the metric's name as it is queried."""
    accept = "application/openmetrics-text; version=1.0.0"
    answer = stack.http.get(f"{stack.view().url(service)}/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(answer.text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = list(family.samples)
    return found


def measure(metric: list[Sample], only: dict[str, str]) -> tuple[float, ...]:
    """What changes when the metric moves: counts, sums and values of the series with labels `only`."""
    return tuple(
        one.value
        for one in sorted(metric, key=lambda one: (one.name, sorted(one.labels.items())))
        if only.items() <= one.labels.items() and not one.name.endswith(("_bucket", "_created"))
    )


@pytest.mark.parametrize("service", SERVICES)
def test_traffic_moves_the_metrics(stack: Any, service: str) -> None:
    """Within 60 s of background traffic every metric that traffic can move has moved.

    The quality gauges have longer: they are absent until 50 cases are labelled.
    """
    metrics = SERVICES[service]["metrics"]
    wanted = {name: one for name, one in metrics.items() if "traffic" in one["moves"]}
    before, begin = samples(stack, service), time.monotonic()
    waiting = dict(wanted)

    def look() -> bool:
        now = samples(stack, service)
        for name in list(waiting):
            if measure(now.get(name, []), {}) != measure(before.get(name, []), {}):
                waiting.pop(name)
        spent = time.monotonic() - begin
        late = [name for name, one in waiting.items() if spent > one.get("within", WITHIN_SECONDS)]
        if late:
            pytest.fail(f"unmoved after {spent:.0f} s of traffic: {', '.join(late)}", pytrace=False)
        return not waiting

    longest = max(one.get("within", WITHIN_SECONDS) for one in wanted.values())
    poll_until(look, f"{service}: metrics that traffic moves", longest + 10, interval=0.2)


@pytest.mark.parametrize(("service", "name"), METRICS)
def test_metric_is_exposed_exactly(stack: Any, service: str, name: str) -> None:
    """Name, label names, buckets and quantiles on /metrics, and the metric is stored in Prometheus."""
    expected = SERVICES[service]["metrics"][name]
    found = poll_until(
        lambda: samples(stack, service).get(name),
        f"{name} on /metrics",
        expected.get("within", WITHIN_SECONDS),
    )
    labels = {frozenset(one.labels) - SPECIAL for one in found}
    assert labels == {frozenset(expected["labels"])}
    if "buckets" in expected:
        bounds = {float(one.labels["le"]) for one in found if "le" in one.labels} - {float("inf")}
        assert sorted(bounds) == expected["buckets"]
    if "quantiles" in expected:
        assert {float(one.labels["quantile"]) for one in found if "quantile" in one.labels} == set(
            expected["quantiles"]
        )
    series = found[0].name
    answer = stack.prometheus.query(f'{series}{{job="{SERVICES[service]["job"]}"}}')
    assert answer.series, f"{series} is not in Prometheus"
    for one in answer.series:
        assert one.labels["system"] == SERVICES[service]["system"]
        assert one.labels["instance"] == service
        assert not any(label.startswith("exported_") for label in one.labels)


@pytest.mark.parametrize(
    ("service", "name", "label"),
    [
        (service, name, label)
        for service, one in SERVICES.items()
        for name, metric in one["metrics"].items()
        for label in metric.get("values", {})
        if "traffic" in metric["moves"]
    ],
)
def test_traffic_reaches_every_value(stack: Any, service: str, name: str, label: str) -> None:
    """Each listed value is counted under the background traffic, but for those that only faults give."""
    metric = SERVICES[service]["metrics"][name]
    faulty = {
        value
        for move in metric["moves"]
        if isinstance(move, dict)
        for key, value in move.get("only", {}).items()
        if key == label
    }

    def unseen() -> set[str]:
        now = samples(stack, service)[name]
        counted = {one.labels[label] for one in now if one.value > 0 and label in one.labels}
        return set(metric["values"][label]) - faulty - counted

    poll_until(
        lambda: not unseen() or pytest_note(unseen()), f"{name}: every value of {label}", 240, interval=1
    )


def pytest_note(missing: set[str]) -> bool:
    """Make poll_until report which values are missing."""
    raise LookupError(f"not counted yet: {sorted(missing)}")


@contextmanager
def fault(stack: Any, service: str, name: str) -> Iterator[None]:
    """A fault with its default parameters, taken away again whatever happens."""
    url = f"{stack.view().url(service)}/faults/{name}"
    headers = {"Authorization": f"Bearer {stack.environ['FAULTS_TOKEN']}"}
    answer = stack.http.put(url, json={"ttl_seconds": 120}, headers=headers)
    assert answer.status_code == 200, answer.text
    try:
        yield
    finally:
        assert stack.http.delete(url, headers=headers).status_code in (204, 404)


@pytest.mark.parametrize(("service", "name", "fault_name", "only"), FAULTS)
def test_fault_moves_the_metric(
    stack: Any, service: str, name: str, fault_name: str, only: dict[str, str]
) -> None:
    """What only errors give moves under the named fault."""
    before = measure(samples(stack, service)[name], only)
    with fault(stack, service, fault_name):
        poll_until(
            lambda: measure(samples(stack, service)[name], only) != before,
            f"{name} {only or ''} moves under {fault_name}",
            90,
            interval=0.05,
        )


@pytest.mark.parametrize(
    ("service", "message"),
    [(service, message) for service, one in SERVICES.items() for message in one["logs"]],
)
def test_log_event_is_in_loki(stack: Any, service: str, message: str) -> None:
    """A line of each event with all its keys, few labels, and ids as structured metadata."""
    now = time.time()
    logql = f'{{service="{service}"}} |= "{message}"'
    lines = poll_until(
        lambda: stack.loki.search(logql, start=now - 60, end=time.time(), limit=5).lines,
        logql,
        WITHIN_SECONDS,
    )
    for line in lines:
        fields = json.loads(line.text)
        wanted = {*EXPECTED["every-line"], *SERVICES[service]["logs"][message]}
        assert wanted <= fields.keys(), f"lacks {sorted(wanted - fields.keys())}"
        assert fields["message"] == message
        assert set(line.labels) <= {*EXPECTED["loki-labels"], "service_name"}
        assert line.labels["system"] == SERVICES[service]["system"]
        assert line.metadata["trace_id"] == fields["trace_id"]
        assert len(fields["trace_id"]) == 32


def test_one_canonical_line_per_request(stack: Any) -> None:
    """A request leaves one "Request handled", and no access log beside it."""
    url = f"{stack.view().url('fds')}/api/v1/fds/evaluate"
    body = {"transaction_id": f"canonical-{time.time_ns()}", "user_id": "u", "amount": 1000}
    answer = stack.http.post(url, json=body)
    assert answer.status_code == 200, answer.text
    logql = f'{{service="fds"}} | trace_id="{answer.headers["X-Trace-Id"]}"'
    begin = time.time() - 5

    def messages() -> list[str]:
        lines = stack.loki.search(logql, start=begin, end=time.time() + 1).lines
        return [json.loads(line.text)["message"] for line in lines]

    poll_until(lambda: "Request handled" in messages(), "the canonical line", 30)
    found = messages()
    assert found.count("Request handled") == 1
    assert not [text for text in found if "HTTP/1.1" in text]


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service, one in SERVICES.items() for name in one["spans"]]
)
def test_span_is_in_jaeger(stack: Any, service: str, name: str) -> None:
    """A recent span of this name with the expected attributes, inside a server span with stable names."""

    def look() -> Any:
        end = time.time()
        for trace in stack.jaeger.recent(service, start=end - 120, end=end, limit=40):
            found = [span for span in trace.spans if span.name == name and span.service == service]
            if found and any(span.kind == "server" for span in trace.spans):
                return trace, found[0]
        return None

    trace, span = poll_until(look, f"a recent span {name}", WITHIN_SECONDS, interval=1)
    wanted = set(SERVICES[service]["spans"][name])
    assert wanted <= span.attributes.keys(), f"lacks {sorted(wanted - span.attributes.keys())}"
    server = next(one for one in trace.spans if one.kind == "server")
    stable = {"http.request.method", "http.route", "http.response.status_code", "url.path"}
    assert stable <= server.attributes.keys()
    assert not {"http.method", "http.url", "http.status_code"} & server.attributes.keys()


def test_probes_and_scrapes_are_not_traced(stack: Any) -> None:
    """/metrics and health checks, which come every second, leave no trace."""
    end = time.time()
    for service in SERVICES:
        for trace in stack.jaeger.recent(service, start=end - 300, end=end, limit=200):
            paths = {span.attributes.get("url.path", "") for span in trace.spans}
            assert not {path for path in paths if path.startswith(("/metrics", "/health"))}
