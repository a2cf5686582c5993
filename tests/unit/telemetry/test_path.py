"""The short way of a request: what is noted and counted later, and layers that are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from telemetry.logs import bind, get_logger
from telemetry.metrics import Metrics
from telemetry.request_metrics import MOST_NOTES, RequestMetricNames, RequestMetrics
from telemetry.scope import current_request

WHERE = {"method": "GET", "endpoint": "/a"}


class Layer:
    """A middleware of somebody else."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def names_of(stack: Any) -> list[str]:
    """The layers of a built application, from the outermost."""
    found = []
    while stack is not None:
        found.append(type(stack).__name__)
        stack = getattr(stack, "app", None)
    return found


def test_what_was_noted_is_counted_before_it_is_read() -> None:
    """Also in the middle of a request, and without waiting for many."""
    metrics = Metrics()
    requests = RequestMetrics(metrics, RequestMetricNames())
    route = requests.of("GET", "/a")
    read = metrics.registry.get_sample_value
    requests.begin(route)
    requests.begin(route)
    assert read("http_requests_in_progress", WHERE) == 2
    requests.end((route, 200, 0.25, (1, 2), 1_700_000_000_500_000_000))
    assert read("http_requests_in_progress", WHERE) == 1
    assert read("http_requests_total", {**WHERE, "status": "200"}) == 1
    assert read("http_request_duration_seconds_sum", WHERE) == 0.25
    assert read("http_request_duration_seconds_bucket", {**WHERE, "le": "0.2"}) == 0
    assert "# {" in metrics.expose("application/openmetrics-text; version=1.0.0")[0].decode()


def test_an_exemplar_has_the_time_of_its_request() -> None:
    """Not that of the scrape which counted it."""
    metrics = Metrics()
    requests = RequestMetrics(metrics, RequestMetricNames())
    route = requests.of("GET", "/a")
    requests.begin(route)
    requests.end((route, 200, 0.25, (1, 2), 1_700_000_000_500_000_000))
    exposed = metrics.expose("application/openmetrics-text; version=1.0.0")[0].decode()
    assert [line.split()[-1] for line in exposed.splitlines() if "# {" in line] == ["1700000000.5"] * 2


def test_notes_do_not_pile_up_when_nobody_reads() -> None:
    """A service that is never scraped keeps a bounded number of them."""
    metrics = Metrics()
    requests = RequestMetrics(metrics, RequestMetricNames())
    route = requests.of("GET", "/a")
    for _ in range(MOST_NOTES * 3):
        requests.begin(route)
        requests.end((route, 200, 0.1, None, 0))
    assert requests.waiting < MOST_NOTES
    assert metrics.registry.get_sample_value("http_requests_total", {**WHERE, "status": "200"}) == (
        MOST_NOTES * 3
    )


def test_the_frameworks_own_layers_are_left_out(make_site: Callable[..., Any]) -> None:
    """Those that would only hand on what ends in this one."""
    site = make_site()
    assert site.get("/nowhere").status_code == 404
    assert names_of(site.app.middleware_stack)[0] == "TelemetryMiddleware"


def test_layers_that_do_something_stay(make_site: Callable[..., Any]) -> None:
    """Somebody else's middleware around ours, a handler for every exception, and debugging."""
    foreign, handled, debugged = make_site(), make_site(), make_site()
    foreign.app.add_middleware(Layer)
    handled.app.add_exception_handler(Exception, lambda request, error: None)
    debugged.app.debug = True
    for site in (foreign, handled, debugged):
        assert site.get("/nowhere").status_code == 404
        assert names_of(site.app.middleware_stack)[0] == "ServerErrorMiddleware"
    assert "Layer" in names_of(foreign.app.middleware_stack)


def test_a_body_that_an_outer_application_refuses_is_a_413(make_site: Callable[..., Any]) -> None:
    """Its limit comes as an exception when somebody reads the body."""
    site = make_site()

    class Limit(Layer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            raise HTTPException(413, "too large")

    site.app.user_middleware.append(Middleware(Limit))
    answer = site.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_a_request_without_an_id_is_called_by_its_trace(make_site: Callable[..., Any]) -> None:
    """But within a caller's trace, which has several requests, it gets an id of its own."""
    site = make_site()
    first = site.get("/nowhere").headers
    assert first["x-request-id"] == first["x-trace-id"]
    parent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    ids = {site.get("/nowhere", headers=parent).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert "0af7651916cd43dd8448eb211c80319c" not in ids


@pytest.mark.parametrize("inside", [True, False])
def test_a_request_within_a_request_has_fields_of_its_own(
    make_site: Callable[..., Any], *, inside: bool
) -> None:
    """One service that calls another one in the same process does not lend it what it bound."""
    outer, inner = make_site(), make_site()

    @inner.app.get("/inner")  # type: ignore[untyped-decorator]  # a fixture gives Any
    async def answer() -> None:
        with bind(step="inner"):
            get_logger("inner").info("Answered")

    if not inside:
        with bind(tenant_id="t-1"):
            inner.get("/inner")
    else:

        @outer.app.get("/outer")  # type: ignore[untyped-decorator]  # a fixture gives Any
        def call() -> None:  # a plain function runs on another thread
            with bind(tenant_id="t-1"):
                inner.get("/inner")

        assert outer.get("/outer").status_code == 200
        assert outer.lines()[-1]["tenant_id"] == "t-1"
    [line, handled] = inner.lines()
    assert ("tenant_id" in line, line["step"], handled["step"]) == (False, "inner", "inner")
    assert current_request() is None
