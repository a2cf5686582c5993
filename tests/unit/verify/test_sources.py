"""How much data a query gives is counted for each datasource as its page would show it."""

from typing import Any

import httpx
import pytest

from firedrill.clients import Backend, Loki, Prometheus
from firedrill.dashboards.live import Ask, Variable
from firedrill.verify.sources import Sources, Unknown

NOW = 1000.0
MATRIX = [{"metric": {}, "values": [[1, "NaN"], [2, "3"]]}, {"metric": {}, "values": [[1, "NaN"]]}]
ANSWERS: dict[str, Any] = {
    "/api/v1/query_range": {"data": {"resultType": "matrix", "result": MATRIX}},
    "/api/v1/query": {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0"]}]}},
    "/loki/api/v1/query_range": {
        "data": {"resultType": "streams", "result": [{"stream": {}, "values": [["1", "a"], ["2", "b"]]}]}
    },
    "/api/search": {"traces": [{}, {}, {}]},
    "/api/v1/label/tenant/values": {"data": ["acme"]},
    "/loki/api/v1/label/service/values": {"data": ["fds", "ml"]},
}


def sources(asked: list[httpx.URL], *, running: bool = True) -> Sources:
    """All backends, or none."""

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json=ANSWERS[request.url.path])

    http = httpx.Client(transport=httpx.MockTransport(answered))
    return Sources(
        prometheus=Prometheus("http://p", http=http) if running else None,
        loki=Loki("http://l", http=http) if running else None,
        tempo=Backend("Tempo", "http://t", http=http) if running else None,
        clock=lambda: NOW,
    )


@pytest.mark.parametrize(
    ("ask", "count"),
    [
        (Ask("prometheus", "x"), 1),
        (Ask("prometheus", "x", instant=True), 1),
        (Ask("loki", "{}"), 2),
        (Ask("tempo", "{ }"), 3),
    ],
)
def test_data_are_counted(ask: Ask, count: int) -> None:
    """Numbers, of which 0 is one and 0/0 none; lines; traces."""
    assert sources([]).count(ask) == count


def test_the_last_minutes_are_asked() -> None:
    """What is older says nothing of now."""
    asked: list[httpx.URL] = []
    sources(asked).count(Ask("prometheus", "x"), seconds=60)
    assert (asked[0].params["start"], asked[0].params["end"]) == ("940.0", "1000.0")


@pytest.mark.parametrize("uid", ["prometheus", "loki", "tempo"])
def test_a_backend_that_does_not_run_is_not_asked(uid: str) -> None:
    """That is not the same as no data."""
    assert sources([], running=False).count(Ask(uid, "x")) is None
    assert sources([], running=False).values(Variable("v", uid, "x")) is None


def test_a_datasource_that_nobody_can_ask_is_named() -> None:
    """A panel of a new kind must not pass unasked."""
    with pytest.raises(Unknown, match="'zipkin'"):
        sources([]).count(Ask("zipkin", "x"))


def test_values_of_variables_are_asked() -> None:
    """Of a metric's label, or of the streams' label."""
    asked: list[httpx.URL] = []
    found = sources(asked)
    assert found.values(Variable("tenant", "prometheus", "tenant", "up")) == ["acme"]
    assert found.values(Variable("service", "loki", "service")) == ["fds", "ml"]
    assert asked[0].params["match[]"] == "up"
