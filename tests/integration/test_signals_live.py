"""Every metric, log event and span of expected_signals.yaml on the running stack: exact, and moving."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.wait import poll_until
from tests.integration.signals.scrapes import Scrapes
from tests.integration.signals.watch import watch
from tests.integration.signals.wishes import (
    VALUE_SECONDS,
    Counts,
    Moves,
    Spans,
    Stores,
    Tells,
    fault_steps,
    metrics_of,
    traffic_wishes,
)

EXPECTED = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "contract/expected_signals.yaml").read_text(encoding="utf-8")
)
SERVICES = EXPECTED["services"]
METRICS = [(service, name) for service, one in SERVICES.items() for name in metrics_of(one)]
WISHES = traffic_wishes(SERVICES)
# Side by side, but for workflow and judgment: what fails in judgment fails in workflow too. The others ask
# each other as well, but none of their faults gives what a fault of another has to give.
QUEUES = [
    [step for service in queue for step in fault_steps(service, SERVICES[service])]
    for queue in (("workflow", "judgment"), ("fds",), ("ml",), ("admin",), ("ecommerce",))
]
BY_FAULT = [move for queue in QUEUES for step in queue for move in (*step.during, *step.after)]
SPECIAL = frozenset({"le", "quantile"})


@dataclass(frozen=True)
class Switches:
    """The fault switches of the running services."""

    stack: Any

    def put(self, service: str, fault: str, parameters: Mapping[str, object]) -> None:
        """Set a fault; httpx.HTTPError when that fails."""
        body = {"parameters": parameters, "ttl_seconds": 120}
        self.stack.http.put(self._url(service, fault), json=body, headers=self._headers).raise_for_status()

    def clear(self, service: str, fault: str) -> None:
        """Take it away; no error when it is not set."""
        answer = self.stack.http.delete(self._url(service, fault), headers=self._headers)
        assert answer.status_code in (204, 404), answer.text

    def _url(self, service: str, fault: str) -> str:
        return f"{self.stack.view().url(service)}/faults/{fault}"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.stack.environ['FAULTS_TOKEN']}"}


@pytest.fixture(scope="module")
def stores(stack: Any) -> Stores:
    """Where signals are looked for."""
    return Stores(Scrapes(stack.http, stack.view().url), stack.loki, stack.jaeger)


@pytest.fixture(scope="module")
def missing(stack: Any, stores: Stores) -> Mapping[str, str]:
    """What was missing of each wish; the one wait of this file, for all of them."""
    found = watch(stores, WISHES, QUEUES, Switches(stack), patience=VALUE_SECONDS)
    stores.scrapes.renew()
    return found


def named(wish: Any) -> str:
    """The wish's name, for the report."""
    return str(wish.name)


@pytest.mark.parametrize("wish", [one for one in WISHES if isinstance(one, Moves)], ids=named)
def test_traffic_moves_the_metric(missing: Mapping[str, str], wish: Moves) -> None:
    """Within two minutes, and most in twenty seconds.

    The quality gauges have longer: they are absent until 50 cases are labelled.
    """
    assert missing[wish.name] == ""


@pytest.mark.parametrize("wish", [one for one in WISHES if isinstance(one, Counts)], ids=named)
def test_traffic_reaches_the_value(missing: Mapping[str, str], wish: Counts) -> None:
    """Each listed value is counted under the background traffic, but for those that only faults give."""
    assert missing[wish.name] == ""


@pytest.mark.parametrize("move", BY_FAULT, ids=named)
def test_fault_moves_the_metric(missing: Mapping[str, str], move: Moves) -> None:
    """What only errors give moves under the named fault, or when it is over."""
    assert missing[move.name] == ""


@pytest.mark.parametrize(("service", "name"), METRICS)
@pytest.mark.usefixtures("missing")
def test_metric_is_exposed_exactly(stack: Any, stores: Stores, service: str, name: str) -> None:
    """Name, label names, buckets and quantiles on /metrics, and the metric is stored in Prometheus."""
    expected = metrics_of(SERVICES[service])[name]
    found = stores.scrapes.samples(service, name)
    labels = {frozenset(one.labels) - SPECIAL for one in found}
    assert labels == {frozenset(expected["labels"])}
    bounds = {float(one.labels["le"]) for one in found if "le" in one.labels} - {float("inf")}
    assert sorted(bounds) == expected.get("buckets", sorted(bounds))
    assert bounds >= set(expected.get("edges", ()))
    quantiles = {float(one.labels["quantile"]) for one in found if "quantile" in one.labels}
    assert quantiles == set(expected.get("quantiles", ()))
    series = found[0].name
    answer = stack.prometheus.query(f'{series}{{job="{SERVICES[service]["job"]}"}}')
    assert answer.series, f"{series} is not in Prometheus"
    for one in answer.series:
        assert one.labels["system"] == SERVICES[service]["system"]
        assert one.labels["instance"] == service
        assert not any(label.startswith("exported_") for label in one.labels)


@pytest.mark.parametrize("wish", [one for one in WISHES if isinstance(one, Tells)], ids=named)
def test_log_event_is_in_loki(missing: Mapping[str, str], wish: Tells) -> None:
    """A line of each event with all its keys, few labels, and ids as structured metadata."""
    assert missing[wish.name] == ""
    for line in wish.lines:
        fields = json.loads(line.text)
        wanted = {*EXPECTED["every-line"], *SERVICES[wish.service]["logs"][wish.message]}
        assert wanted <= fields.keys(), f"lacks {sorted(wanted - fields.keys())}"
        assert fields["message"] == wish.message
        assert set(line.labels) <= {*EXPECTED["loki-labels"], "service_name"}
        assert line.labels["system"] == SERVICES[wish.service]["system"]
        assert set(line.metadata) <= {*EXPECTED["loki-metadata"], "detected_level"}
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


@pytest.mark.parametrize("wish", [one for one in WISHES if isinstance(one, Spans)], ids=named)
def test_span_is_in_jaeger(missing: Mapping[str, str], wish: Spans) -> None:
    """A recent span of this name with the expected attributes, beside a server span with stable names."""
    assert missing[wish.name] == ""
    assert wish.found is not None
    trace, span = wish.found
    wanted = set(SERVICES[wish.service]["spans"][wish.span])
    assert wanted <= span.attributes.keys(), f"lacks {sorted(wanted - span.attributes.keys())}"
    server = next(one for one in trace.spans if one.kind == "server")
    stable = {"http.request.method", "http.route", "http.response.status_code", "url.path"}
    assert stable <= server.attributes.keys()
    assert not {"http.method", "http.url", "http.status_code"} & server.attributes.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_probes_and_scrapes_are_not_traced(stack: Any, service: str) -> None:
    """/metrics and health checks, which come every second, leave no trace."""
    end = time.time()
    for trace in stack.jaeger.recent(service, start=end - 300, end=end, limit=200):
        paths = {span.attributes.get("url.path", "") for span in trace.spans}
        assert not {path for path in paths if path.startswith(("/metrics", "/health"))}
