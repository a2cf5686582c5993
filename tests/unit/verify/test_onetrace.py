"""A request that passes several services is one trace, and its lines carry that trace's id."""

import io
import json
from typing import Any

import httpx
from rich.console import Console

from firedrill.clients import Span
from firedrill.verify import verify
from firedrill.verify.check import Missing
from firedrill.verify.declared import ProbePlan, Request
from firedrill.verify.onetrace import MOST_REQUESTS, RESEND_SECONDS, Passage, is_kind
from firedrill.verify.probes import Probe, filled

TRACE = "trace: {services: [judgment, fds], spans: [fds.evaluate], kinds: [sql, redis]}\n"


def span(number: int, name: str, parent: str, **tags: str) -> dict[str, object]:
    """A span of fds as Jaeger gives it."""
    return {
        "traceID": "t", "spanID": f"m{number}", "operationName": name, "startTime": 9, "duration": 1,
        "processID": "p2", "references": [{"refType": "CHILD_OF", "traceID": "t", "spanID": parent}],
        "tags": [{"key": key.replace("__", "."), "value": value} for key, value in tags.items()],
    }  # fmt: skip


WHOLE = [
    span(1, "fds.evaluate", "1"),
    span(2, "SELECT", "m1", span__kind="client", db__system__name="postgresql"),
    span(3, "GET", "m1", span__kind="client", db__system__name="redis"),
]


def detail(world: Any, check: str) -> tuple[str, str]:
    """Result and detail of one check."""
    path = world.root / "services/judgment/probe.yml"
    if "trace:" not in path.read_text():
        path.write_text(path.read_text() + TRACE)
    machine = io.StringIO()
    verify(
        world,
        deadline_seconds=0.3,
        json_wanted=True,
        http=world.http(),
        console=Console(file=machine),
        interval=0.02,
    )
    (found,) = [one for one in json.loads(machine.getvalue())["checks"] if one["check"] == check]
    return found["result"], found["detail"]


def test_whole_trace_passes(world: Any) -> None:
    """Spans of all services, a client span of each kind, every parent there."""
    world.more_spans = WHOLE
    assert detail(world, "judgment: one trace in jaeger") == ("passed", "judgment 3 spans, fds 3 spans")


def test_what_the_trace_lacks_is_named(world: Any) -> None:
    """The service, the span and the kinds of client spans."""
    result, text = detail(world, "judgment: one trace in jaeger")
    assert result == "failed"
    assert "no span of fds" in text
    assert "absent: fds.evaluate" in text
    assert "no client span of kind sql, redis" in text


def test_a_span_whose_parent_is_missing_breaks_the_tree(world: Any) -> None:
    """The same trace id alone does not make one request."""
    world.more_spans = [*WHOLE, span(4, "POST /lost", "nowhere")]
    result, text = detail(world, "judgment: one trace in jaeger")
    assert result == "failed"
    assert "the parent is missing of fds POST /lost" in text


def test_lines_of_every_service_carry_the_id(world: Any) -> None:
    """A service without a line under the trace id is named."""
    world.more_spans = WHOLE
    result, text = detail(world, "judgment: one trace in logs")
    assert result == "failed"
    assert "none of fds" in text


def test_kinds_are_told_by_old_and_new_names() -> None:
    """Attributes of the stable and of the older conventions; only clients count."""

    def client(**attributes: str) -> Span:
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        return Span("t", "s", "", "n", "x", 0, 1, kind="client", attributes=named)

    assert is_kind(client(db__system__name="postgresql"), "sql")
    assert is_kind(client(db__system="postgresql"), "sql")
    assert is_kind(client(db__system="redis"), "redis")
    assert not is_kind(client(db__system="redis"), "sql")
    assert is_kind(client(http__request__method="POST"), "http")
    server = Span("t", "s", "", "n", "x", 0, 1, kind="server", attributes={"http.request.method": "GET"})
    assert not is_kind(server, "http")


def test_preparing_requests_hand_their_values_on() -> None:
    """A value of one answer stands in the path, headers and body of the next; numbers stay numbers."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": [{"id": 7}], "token": "abc"}, headers={"X-Trace-Id": "x"})

    plan = ProbePlan(
        service="shop",
        job="shop",
        request=Request("POST", "/orders/{order}", '{"order": "{order}"}', {"Authorization": "X {token}"}),
        moving=(), present=(), messages=(), spans=(), exemplar=None,
        prepare=(Request("POST", "/carts", save={"order": "data.0.id", "token": "token"}),),
    )  # fmt: skip
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        probe = Probe(plan, "http://shop", http=http)
        probe.attempt()
    assert seen[1].url.path == "/orders/7"
    assert seen[1].headers["authorization"] == "X abc"
    assert json.loads(seen[1].content) == {"order": 7}
    assert "traceparent" not in seen[0].headers


def test_an_answer_without_the_wanted_value_is_named() -> None:
    """With the path that was looked for."""
    plan = ProbePlan(
        service="shop", job="shop", request=Request("GET", "/"), moving=(), present=(), messages=(), spans=(),
        exemplar=None, prepare=(Request("GET", "/carts", save={"order": "id"}),),
    )  # fmt: skip
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with httpx.Client(transport=transport) as http:
        found = Probe(plan, "http://shop", http=http).attempt()
    assert "has no id" in str(found)


def test_unknown_placeholders_stay() -> None:
    """A path may hold braces of its own."""
    assert filled("/a/{b}/{nonce}", {"nonce": "n"}) == "/a/{b}/n"
    assert filled('{"a": "x-{nonce}"}', {"nonce": 'q"'}, is_json=True) == '{"a": "x-q\\""}'


def test_a_request_that_took_another_way_is_sent_again() -> None:
    """After some seconds, and only so often: a peer that has only just started may have been passed over."""
    now = 0.0
    plan = ProbePlan(
        service="shop", job="shop", request=Request("GET", "/"), moving=(), present=(), messages=(), spans=(),
        exemplar=None,
    )  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"X-Trace-Id": request.headers["traceparent"].split("-")[1]})

    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport) as http:
        probe = Probe(plan, "http://shop", http=http)
        passage = Passage(probe, probe.another, clock=lambda: now)
        assert isinstance(passage.current(), Missing)  # its own check has not sent it yet
        probe.attempt()
        assert passage.current() is probe
        passage.took_another_way(probe)
        assert passage.current() is probe
        seen = {id(probe)}
        for _ in range(MOST_REQUESTS + 3):
            now += RESEND_SECONDS
            latest = passage.current()
            assert isinstance(latest, Probe)
            seen.add(id(latest))
            passage.took_another_way(latest)
    assert len(seen) <= MOST_REQUESTS
    assert len(seen) > 1
