"""What one request leaves behind: a count, a duration, a line, a span and its ids."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from opentelemetry import baggage
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from telemetry.app import RequestMetricNames
from telemetry.errors import ClientError, Unavailable
from telemetry.logs import bind, get_logger
from telemetry.metrics import MAX_SERIES
from telemetry.settings import TelemetrySettings
from telemetry.text import SafeJson, SafeText
from telemetry.traces import current_trace_id, span

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Order(BaseModel):
    """A request body with every kind of text in it."""

    name: SafeText
    count: int = 1
    extra: SafeJson = None


class UnprintableError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.fixture(autouse=True)
def routes(site: Any) -> FastAPI:
    """Routes that succeed, fail, stream and wait."""
    app: FastAPI = site.app
    router = APIRouter(prefix="/api/v1")

    @router.get("/items/{item}")
    async def item(item: str) -> dict[str, str | None]:
        return {"item": item, "trace": current_trace_id()}

    @router.post("/orders")
    async def order(order: Order) -> dict[str, int]:
        with (
            bind(tenant_id="t-1", user_id="bob@example.com"),
            span("order.place", **{"order.name": order.name}) as open_span,
        ):
            open_span.set("result.status", "ok")
            get_logger("orders").info("Order placed", count=order.count)
        return {"count": order.count}

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password=hunter22 for user@example.com")

    @router.get("/unprintable")
    async def unprintable() -> None:
        raise UnprintableError

    @router.get("/refused")
    async def refused() -> None:
        raise ClientError(409, "conflict", "the order exists: user@example.com")

    @router.get("/down")
    async def down() -> None:
        raise Unavailable("the database", retry_after=2.5)

    @router.get("/stream")
    async def stream(fail: bool = False) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            if fail:
                raise RuntimeError("in the middle")
            yield b"two"

        return StreamingResponse(chunks())

    @router.get("/wait")
    async def wait() -> None:
        await asyncio.Event().wait()

    @router.get("/baggage")
    async def show_baggage() -> dict[str, object]:
        return dict(baggage.get_all())

    @router.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    app.include_router(router)
    return app


def count(site: Any, endpoint: str, status: int, method: str = "GET") -> float | None:
    labels = {"method": method, "endpoint": endpoint, "status": str(status)}
    return site.value("http_requests_total", labels)  # type: ignore[no-any-return]


def test_a_request_is_counted_timed_logged_and_traced_under_its_route(site: Any) -> None:
    """All four agree on the route, the status and the trace."""
    response = site.get("/api/v1/items/7")
    trace_id = response.headers["x-trace-id"]
    assert response.json() == {"item": "7", "trace": trace_id}
    assert count(site, "/api/v1/items/{item}", 200) == 1
    where = {"method": "GET", "endpoint": "/api/v1/items/{item}"}
    assert site.value("http_request_duration_seconds_count", where) == 1
    assert site.value("http_requests_in_progress", where) == 0
    [line] = site.lines("Request handled")
    assert line["level"] == "INFO"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/items/7", 200)
    assert line["trace_id"] == trace_id
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["duration_ms"] > 0
    [server] = site.spans()
    assert (server.name, server.kind) == ("GET /api/v1/items/{item}", SpanKind.SERVER)
    assert f"{server.context.trace_id:032x}" == trace_id
    assert f"{server.context.span_id:016x}" == line["span_id"]
    assert dict(server.attributes) == {
        "http.request.method": "GET",
        "url.path": "/api/v1/items/7",
        "url.scheme": "http",
        "http.route": "/api/v1/items/{item}",
        "user_agent.original": server.attributes["user_agent.original"],
        "server.address": "service.test",
        "client.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    resource = server.resource.attributes
    assert (resource["service.name"], resource["service.namespace"]) == ("shop", "shopfds")
    assert (resource["service.version"], resource["deployment.environment.name"]) == ("1.2.3", "development")


def test_fields_bound_in_the_handler_reach_its_lines_and_the_requests_own(site: Any) -> None:
    """The tenant as it is, the user only as a hash."""
    site.fetch("POST", "/api/v1/orders", json={"name": "x", "count": 3})
    placed, handled = site.lines()
    assert (placed["message"], placed["component"], placed["count"]) == ("Order placed", "orders", 3)
    for line in (placed, handled):
        assert line["tenant_id"] == "t-1"
        assert re.fullmatch("[0-9a-f]{64}", line["user_id"])
        assert line["request_id"] == handled["request_id"]
    inner, outer = site.spans()
    assert (inner.name, inner.attributes["result.status"]) == ("order.place", "ok")
    assert inner.parent.span_id == outer.context.span_id
    assert placed["span_id"] == f"{inner.context.span_id:016x}"


def test_the_callers_trace_and_baggage_are_continued(site: Any) -> None:
    """W3C trace context and baggage, also in more than one header."""
    headers = [
        ("traceparent", f"00-{TRACE}-{PARENT}-01"),
        ("baggage", "drill=FDSSLAViolation"),
        ("baggage", "step=2"),
    ]
    response = site.get("/api/v1/baggage", headers=headers)
    assert response.headers["x-trace-id"] == TRACE
    assert response.json() == {"drill": "FDSSLAViolation", "step": "2"}
    [server] = site.spans()
    assert f"{server.parent.span_id:016x}" == PARENT
    assert server.parent.is_remote


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "nonsense"},
        {"traceparent": f"00-{'0' * 32}-{PARENT}-01"},
        {"baggage": "=;,%zz" * 500},
        {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "x" * 9000},
    ],
)
def test_nonsense_context_is_ignored(site: Any, headers: dict[str, str]) -> None:
    """A client cannot break a request with its headers."""
    response = site.get("/api/v1/items/1", headers=headers)
    assert response.status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-trace-id"])


def test_the_parents_decision_not_to_sample_is_kept(site: Any) -> None:
    """Its ids are logged and returned, but there is neither span nor exemplar."""
    response = site.get("/api/v1/items/1", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert response.headers["x-trace-id"] == TRACE
    assert site.spans() == []
    assert site.lines()[0]["trace_id"] == TRACE
    assert "trace_id" not in site.exposed()


@pytest.mark.parametrize(
    "given",
    ["order-7", "4bf92f3577b34da6a3ce929d0e0e4736", "0b5bd1e5-50a0-4b6b-a2a0-f2bbb5d1ba4b", "a" * 128],
)
def test_a_good_request_id_is_taken_over(site: Any, given: str) -> None:
    """It is returned and logged as it came."""
    response = site.get("/api/v1/items/1", headers={"x-request-id": given})
    assert response.headers["x-request-id"] == given == site.lines()[0]["request_id"]


@pytest.mark.parametrize(
    "given", ["", "a b", "x" * 129, "é", "a\tb", "sk-1234567890abcdef1234", "010-1234-5678", "../x", "-"]
)
def test_a_request_id_that_is_none_is_replaced(site: Any, given: str) -> None:
    """Too long, with odd characters, or a secret in disguise."""
    response = site.get("/api/v1/items/1", headers={"x-request-id": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_an_unexpected_exception_is_a_json_500_an_error_line_and_a_failed_span(site: Any) -> None:
    """With the type and the masked text, and nothing of it in the answer."""
    response = site.get("/api/v1/broken")
    assert response.status_code == 500
    assert response.json()["error"].keys() == {"code", "message", "request_id"}
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
    assert count(site, "/api/v1/broken", 500) == 1
    [line] = site.lines()
    assert (line["level"], line["error_type"]) == ("ERROR", "RuntimeError")
    assert line["error"] == "password=***MASKED*** for ***EMAIL_MASKED***"
    assert "in broken" in line["stack"]
    [server] = site.spans()
    assert server.status.status_code is StatusCode.ERROR
    assert server.attributes["error.type"] == "RuntimeError"
    assert [event.name for event in server.events] == ["exception"]
    everything = response.text + repr(site.sink.raw) + server.to_json()
    assert "hunter22" not in everything
    assert "user@example.com" not in everything


def test_an_exception_that_cannot_be_printed_is_handled_too(site: Any) -> None:
    """Its type is enough."""
    assert site.get("/api/v1/unprintable").status_code == 500
    assert site.lines()[0]["error_type"] == "UnprintableError"
    assert site.spans()[0].attributes["error.type"] == "UnprintableError"


def test_expected_errors_have_one_form(site: Any) -> None:
    """A code for programs, a masked message for people, the request id; no error in the log."""
    refused, down, unknown, method = site.fetch_all(
        [("GET", "/api/v1/refused"), ("GET", "/api/v1/down"), ("GET", "/nowhere"), ("DELETE", "/api/v1/down")]
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert refused.json()["error"]["message"] == "the order exists: ***EMAIL_MASKED***"
    assert (down.status_code, down.headers["retry-after"]) == (503, "3")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert [line["level"] for line in site.lines()] == ["INFO", "WARNING", "INFO", "INFO"]
    with pytest.raises(ValueError, match="no client error"):
        ClientError(500, "x", "y")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 50_000, "application/json"),
        (b"", "application/json"),
        (b"name=x", "application/x-www-form-urlencoded"),
        (b'{"name": "x"}', "text/plain"),
        (b'{"name": "x"}', "nonsense"),
        (b'{"name": 1}', "application/json"),
        (b'{"name": "a\\u0000b"}', "application/json"),
        (b"null", "application/json"),
        (b'{"name": "a\\ud800b"}', "application/json"),
        (b'{"name": "x", "extra": {"\\udfff": 1}}', "application/json"),
        (b'{"name": "x", "extra": [NaN]}', "application/json"),
        (b'{"name": "x", "extra": "\\u0000"}', "application/json"),
        (b'{"name": "x", "count": 1e999}', "application/json"),
        (b'{"name": "x", "count": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"name": "x", "extra": ' + b"[" * 40 + b"]" * 40 + b"}", "application/json"),
    ],
)
def test_bad_bodies_are_4xx_with_a_reason(site: Any, content: bytes, content_type: str) -> None:
    """Never 500, whatever the bytes; and the input is not repeated."""
    response = site.fetch("POST", "/api/v1/orders", content=content, headers={"content-type": content_type})
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/api/v1/items/a%00b", "/api/v1/items/1?x=%00"])
def test_nul_characters_in_urls_are_refused(site: Any, path: str) -> None:
    """No database takes them."""
    assert site.get(path).status_code == 400


def test_bodies_over_the_limit_are_refused(make_site: Any, routes: FastAPI) -> None:
    """By their declared length and, without one, by what arrives; the limit itself is allowed."""
    small = make_site(max_body_bytes=100)

    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    small.app.post("/raw")(raw)

    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"x"

    assert small.fetch("POST", "/raw", content=b"x" * 100).json() == {"bytes": 100}
    assert small.fetch("POST", "/raw", content=chunked(100)).json() == {"bytes": 100}
    for body in (b"x" * 101, chunked(101)):
        response = small.fetch("POST", "/raw", content=body)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert (
        small.fetch("POST", "/raw", content=b"", headers={"content-length": "999999999999"}).status_code
        == 413
    )


def test_a_streamed_answer_is_timed_to_its_end(site: Any) -> None:
    """And its span ends after its last byte."""
    assert site.get("/api/v1/stream").content == b"onetwo"
    assert count(site, "/api/v1/stream", 200) == 1


def test_a_stream_that_fails_is_counted_as_500_and_breaks_off(site: Any) -> None:
    """The answer cannot be taken back, so the server hears of it."""
    with pytest.raises(RuntimeError, match="in the middle"):
        site.get("/api/v1/stream?fail=true")
    assert count(site, "/api/v1/stream", 500) == 1
    assert site.lines()[0]["error_type"] == "RuntimeError"


def test_a_cancelled_request_is_no_longer_in_progress(site: Any) -> None:
    """A hundred at once: all are counted as closed by the client, none is left, none is an error."""

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            raise AssertionError(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/v1/wait",
            "headers": [],
            "query_string": b"",
            "scheme": "http",
        }
        tasks = [asyncio.create_task(site.app(dict(scope), receive, send)) for _ in range(100)]
        where = {"method": "GET", "endpoint": "/api/v1/wait"}
        while site.value("http_requests_in_progress", where) != 100:  # noqa: ASYNC110 - the tasks' turn
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert site.value("http_requests_in_progress", where) == 0

    asyncio.run(run())
    assert count(site, "/api/v1/wait", 499) == 100
    assert {line["level"] for line in site.lines()} == {"INFO"}
    assert {span.status.status_code for span in site.spans()} == {StatusCode.UNSET}


def test_unknown_paths_and_methods_make_no_new_series(site: Any) -> None:
    """A thousand of them are one endpoint, and odd methods one method."""
    site.fetch_all([("GET", f"/scan/{number}") for number in range(1000)])
    site.fetch_all([(f"ODD{number}", "/scan") for number in range(20)])
    assert count(site, "unknown", 404) == 1000
    assert count(site, "unknown", 404, "_OTHER") == 20
    assert sum(line.startswith("http_requests_total{") for line in site.exposed().splitlines()) == 2
    assert {span.name for span in site.spans()} == {"GET", "HTTP"}


def test_label_values_from_clients_cannot_fill_the_memory(site: Any) -> None:
    """Beyond a bound they share one series; what cannot be encoded is replaced."""
    counter = site.telemetry.metrics.counter("tenants_total", "By tenant.", ("tenant_id",))
    for number in range(MAX_SERIES + 50):
        counter.add(1, f"t{number}")
    counter.add(1, "\ud800")
    assert site.value("tenants_total", {"tenant_id": "overflow"}) == 51
    gauge = site.telemetry.metrics.gauge("odd", "Odd.", ("name",))
    gauge.set(1, "\ud800")
    assert 'odd{name="?"} 1.0' in site.exposed()


def test_names_and_labels_of_the_request_metrics_can_be_chosen(make_site: Any) -> None:
    """As ecommerce and K-ERP need them; and left out."""
    names = RequestMetricNames(
        requests="shop_http_requests_total",
        duration=None,
        in_progress=None,
        endpoint="path",
        status="status_code",
    )
    other = make_site(names=names)
    other.get("/nowhere")
    labels = {"method": "GET", "path": "unknown", "status_code": "404"}
    assert other.value("shop_http_requests_total", labels) == 1
    assert "duration_seconds" not in other.exposed()


def test_lines_and_spans_go_to_the_service_whose_request_it_is(make_site: Any) -> None:
    """Two services in one process do not mix."""
    first = make_site(TelemetrySettings(service="first"))
    second = make_site(TelemetrySettings(service="second"))
    for each in (first, second):

        @each.app.get("/work")  # type: ignore[untyped-decorator]  # a fixture gives Any
        def work() -> str | None:  # a plain function runs on another thread
            with span("inner"):
                get_logger("work").info("Worked")
            return current_trace_id()

    answers = [each.get("/work") for each in (first, second)]
    for each, answer in zip((first, second), answers, strict=True):
        [worked] = each.lines("Worked")
        assert worked["service"] == each.telemetry.settings.service
        assert worked["trace_id"] == answer.json() == answer.headers["x-trace-id"]
        assert [span.name for span in each.spans()] == ["inner", "GET /work"]


def test_exemplars_lead_to_the_trace(site: Any) -> None:
    """On the counter and on the bucket, in OpenMetrics only, with the trace that was returned."""
    trace_id = site.get("/api/v1/items/7").headers["x-trace-id"]
    exposed = site.exposed()
    for start in ("http_requests_total{", "http_request_duration_seconds_bucket{"):
        found = [line for line in exposed.splitlines() if line.startswith(start) and " # {" in line]
        assert len(found) == 1
        assert f'trace_id="{trace_id}"' in found[0]
    assert "# {" not in site.exposed("text/plain")


def test_an_earlier_route_with_a_parameter_names_the_endpoint(site: Any) -> None:
    """As the router decides, so is it labelled."""
    app: FastAPI = site.app

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    @app.get("/things/all")
    async def never() -> str:
        raise AssertionError

    assert site.get("/things/all").json() == "all"
    assert count(site, "/things/{thing}", 200) == 1
