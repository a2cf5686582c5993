"""The sources read what the backends really send."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from console.sources import (
    AlertmanagerSource,
    Answerer,
    FaultSource,
    Health,
    InboxSource,
    JaegerSource,
    LokiSource,
    PrometheusSource,
    TraceSearch,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
Handler = Callable[[httpx.Request], httpx.Response]


def ask(handler: Handler) -> Answerer:
    """An answerer whose requests the handler answers."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return Answerer("it", "http://it", http=http, health=Health())


def always(body: object, status: int = 200) -> Answerer:
    """An answerer that always gets this body."""
    return ask(lambda _: httpx.Response(status, json=body))


@pytest.mark.parametrize(("yaml", "seconds"), [("  scrape_interval: 1s500ms\n", 1.5), ("other: x\n", 15.0)])
def test_pace_is_read_from_prometheus_itself(yaml: str, seconds: float) -> None:
    """The scrape interval of the loaded configuration; production's where it says none."""
    source = PrometheusSource(always({"data": {"yaml": "global:\n" + yaml}}))
    assert asyncio.run(source.scrape_seconds()) == seconds


def test_alerts_of_prometheus() -> None:
    """State, labels and since when, with Go's nanoseconds."""
    alert = {
        "labels": {"alertname": "A"}, "annotations": {"summary": "s"}, "state": "firing",
        "activeAt": "2026-11-21T10:00:00.123456789Z", "value": "1e+00",
    }  # fmt: skip
    (found,) = asyncio.run(PrometheusSource(always({"data": {"alerts": [alert]}})).alerts())
    assert (found.state, found.labels["alertname"], found.value) == ("firing", "A", "1e+00")
    assert found.since == pytest.approx(1795255200.123456)


def test_values_of_a_label() -> None:
    """Sorted, without the empty one."""
    series = [{"metric": {"instance": name} if name else {}, "value": [1, "1"]} for name in ("b", "", "a")]
    source = PrometheusSource(always({"data": {"resultType": "vector", "result": series}}))
    assert asyncio.run(source.label_values("up", "instance")) == ("a", "b")


def test_lines_of_loki() -> None:
    """Labels and structured metadata apart, oldest first."""
    values = [["2000000000", "late", {"structuredMetadata": {"trace_id": TRACE}}], ["1000000000", "early"]]
    streams = [{"stream": {"service": "fds"}, "values": values}]
    source = LokiSource(always({"data": {"resultType": "streams", "result": streams}}))
    answer = asyncio.run(source.search('{service="fds"}', start=0, end=3))
    assert [(line.text, dict(line.metadata)) for line in answer.lines] == [
        ("early", {}), ("late", {"trace_id": TRACE}),
    ]  # fmt: skip


def test_search_of_traces_asks_in_jaegers_units() -> None:
    """Microseconds, and tags as JSON."""
    asked: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.update(request.url.params)
        return httpx.Response(200, json={"data": []})

    wanted = TraceSearch("fds", 1.0, 2.0, operation="POST", tags={"error": "true"}, at_least=0.25)
    assert asyncio.run(JaegerSource(ask(answer)).search(wanted)) == ()
    assert asked["start"] == "1000000"
    assert asked["minDuration"] == "250000us"
    assert json.loads(asked["tags"]) == {"error": "true"}


@pytest.mark.parametrize("trace_id", ["../services", "XYZ", "", "a" * 33])
def test_what_is_no_trace_id_is_not_asked(trace_id: str) -> None:
    """No part of an address comes from outside unread."""

    def never(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was asked")

    assert asyncio.run(JaegerSource(ask(never)).trace(trace_id)) is None


def test_a_trace_that_is_not_there_is_none() -> None:
    """Jaeger says 404."""
    source = JaegerSource(always({"errors": [{"code": 404, "msg": "trace not found"}]}, 404))
    assert asyncio.run(source.trace(TRACE)) is None


def test_silencing_names_every_label_and_is_seen_at_once() -> None:
    """Matchers are equalities; the list of silences is asked anew."""
    silences: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            told = json.loads(request.content)
            silences.append({**told, "id": "s1", "status": {"state": "active"}})
            return httpx.Response(200, json={"silenceID": "s1"})
        return httpx.Response(200, json=silences)

    async def run() -> None:
        source = AlertmanagerSource(ask(answer))
        assert await source.silences() == ()
        made = await source.silence({"alertname": "A"}, starts=0, ends=60, by="me", comment="why")
        assert made == "s1"
        (found,) = await source.silences()
        assert found.matchers == ('alertname="A"',)
        assert (found.starts, found.ends, found.comment) == (0.0, 60.0, "why")

    asyncio.run(run())


def test_messages_of_the_inbox() -> None:
    """Only what is asked for is sent; what comes is read."""
    message = {
        "id": 3, "received_at": 12.5, "kind": "slack", "receiver": "r", "channel": "#c", "status": "firing",
        "severity": "critical", "title": "t", "text": "x", "alertnames": ["A"], "labels": {"a": "b"},
        "links": [{"label": "Runbook", "url": "http://127.0.0.1:8090/runbooks/fds/A"}], "alerts": [],
    }  # fmt: skip
    asked: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.update(request.url.params)
        return httpx.Response(200, json={"total": 9, "messages": [message]})

    total, (found,) = asyncio.run(InboxSource(ask(answer)).messages(kind="slack"))
    assert asked == {"kind": "slack", "limit": "100"}
    assert (total, found.id, found.alertnames) == (9, 3, ("A",))
    assert found.links == (("Runbook", "http://127.0.0.1:8090/runbooks/fds/A"),)


def test_faults_carry_the_token_and_a_dead_service_takes_no_other_along() -> None:
    """Two services are asked; one answers, the other is named."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        fault = {"name": "slow", "help": "h", "parameters": [], "active": {"parameters": {}, "expires_at": 5}}
        return httpx.Response(200, json={"faults": [fault]})

    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    source = FaultSource({"fds": ask(answer), "ml": ask(dead)}, "secret")
    found, errors = asyncio.run(source.all())
    assert [(one.full_name, one.expires_at) for one in found] == [("fds/slow", 5.0)]
    assert len(errors) == 1
    assert seen == ["Bearer secret"]
