"""The clients read what the backends really send; the bodies are cut from answers of the pinned versions."""

import httpx
import pytest

from firedrill.clients import Alertmanager, Backend, Jaeger, Loki, Prometheus, Refused, Tempo, Unreachable

TRACE = "0af7651916cd43dd8448eb211c80319c"


def answering(body: object, status: int = 200) -> httpx.Client:
    """A client whose every request is answered with `body`."""
    if isinstance(body, str):
        return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, text=body)))
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body)))


def prometheus(data: object) -> Prometheus:
    """Prometheus with one answer."""
    return Prometheus("http://p", http=answering({"status": "success", "data": data}))


def test_vector_and_special_values_are_read() -> None:
    """A vector becomes series with one point each; +Inf and NaN are numbers."""
    series = [
        {"metric": {"__name__": "up", "job": "a"}, "value": [1700000000.5, "1"]},
        {"metric": {"job": "b"}, "value": [1700000000.5, "+Inf"]},
    ]
    answer = prometheus({"resultType": "vector", "result": series}).query("up")
    assert [one.points for one in answer.series] == [((1700000000.5, 1.0),), ((1700000000.5, float("inf")),)]
    assert answer.series[0].labels == {"__name__": "up", "job": "a"}


def test_scalar_and_string_are_read() -> None:
    """A scalar is one series without labels, a string is text."""
    assert prometheus({"resultType": "scalar", "result": [1, "3.5"]}).query("3.5").total() == 3.5
    assert prometheus({"resultType": "string", "result": [1, "x"]}).query('"x"').text == "x"


def test_no_series_has_no_total() -> None:
    """Nothing is not 0."""
    assert prometheus({"resultType": "vector", "result": []}).query("up").total() is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00.123456789Z", 1767225600.123456),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("0001-01-01T00:00:00Z", 0.0),
    ],
)
def test_scrape_times_are_unix_seconds(text: str, expected: float) -> None:
    """Go writes nanoseconds, or its zero time before the first scrape."""
    target = {"labels": {"job": "a"}, "scrapeUrl": "u", "health": "up", "lastScrape": text}
    assert prometheus({"activeTargets": [target]}).targets()[0].scraped == pytest.approx(expected)


def test_prometheus_says_why_it_refuses() -> None:
    """The backend's own message is the reason."""
    body = {"status": "error", "errorType": "bad_data", "error": "1:4: parse error: unexpected <EOF>"}
    with pytest.raises(Refused) as caught:
        Prometheus("http://p", http=answering(body, 400)).query("sum(")
    assert "1:4: parse error" in caught.value.why
    assert caught.value.status == 400


def test_loki_says_why_it_refuses() -> None:
    """Loki answers with plain text."""
    with pytest.raises(Refused) as caught:
        Loki("http://l", http=answering("parse error at line 1, col 2", 400)).search("{", start=0, end=1)
    assert "parse error at line 1, col 2" in caught.value.why


def test_silence_is_unreachable() -> None:
    """A refused connection names the backend and the address."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    backend = Backend("Loki", "http://127.0.0.1:1", http=httpx.Client(transport=httpx.MockTransport(refuse)))
    with pytest.raises(Unreachable) as caught:
        backend.get("/ready")
    assert "Loki does not answer" in caught.value.what
    assert "127.0.0.1:1" in caught.value.why


def test_text_in_place_of_json_is_refused() -> None:
    """Another program on the port is told by what it sent."""
    with pytest.raises(Refused, match="did not answer in JSON"):
        Backend("Jaeger", "http://j", http=answering("<html>")).get("/api/services")


def test_log_lines_come_oldest_first_with_metadata() -> None:
    """Streams are merged by time; structured metadata stays apart from labels."""
    metadata = {"structuredMetadata": {"trace_id": TRACE}}
    streams = [
        {"stream": {"service": "a"}, "values": [["2000", "late", metadata]]},
        {"stream": {"service": "b"}, "values": [["1000", "early", {}]]},
    ]
    client = answering({"data": {"resultType": "streams", "result": streams}})
    lines = Loki("http://l", http=client).search("{}", start=0, end=1).lines
    assert [line.text for line in lines] == ["early", "late"]
    assert lines[1].metadata == {"trace_id": TRACE}
    assert lines[1].labels == {"service": "a"}


def test_loki_is_asked_to_keep_metadata_apart() -> None:
    """Without the flag, labels and structured metadata come in one map."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": {"resultType": "streams", "result": []}})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    Loki("http://l", http=http).search("{}", start=1.5, end=2, limit=7)
    assert seen[0].headers["X-Loki-Response-Encoding-Flags"] == "categorize-labels"
    assert seen[0].url.params["start"] == "1500000000"
    assert seen[0].url.params["limit"] == "7"


def test_jaeger_trace_is_read() -> None:
    """Microseconds become nanoseconds, references become parents, tags become text."""
    spans = [
        {
            "traceID": TRACE,
            "spanID": "b" * 16,
            "operationName": "judgment.execute",
            "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": "a" * 16}],
            "startTime": 20,
            "duration": 5,
            "tags": [
                {"key": "error", "type": "bool", "value": True},
                {"key": "n", "type": "int64", "value": 3},
            ],
            "processID": "p1",
        },
        {
            "traceID": TRACE,
            "spanID": "a" * 16,
            "operationName": "POST",
            "references": [],
            "startTime": 10,
            "duration": 50,
            "tags": [{"key": "span.kind", "type": "string", "value": "server"}],
            "processID": "p1",
        },
    ]
    body = {"data": [{"traceID": TRACE, "spans": spans, "processes": {"p1": {"serviceName": "judgment"}}}]}
    trace = Jaeger("http://j", http=answering(body)).trace(TRACE)
    assert trace is not None
    root, child = trace.spans
    assert (root.name, root.kind, root.parent, root.start) == ("POST", "server", "", 10_000)
    assert (child.parent, child.duration, child.error) == ("a" * 16, 5_000, True)
    assert child.attributes["n"] == "3"
    assert trace.names("judgment") == {"POST", "judgment.execute"}
    assert trace.names("fds") == frozenset()


def test_tempo_trace_is_read() -> None:
    """OTLP JSON with ids in base64, times as text and attributes with a type each."""
    span = {
        "traceId": "CvdlGRbNQ92ESOshHIAxnA==",
        "spanId": "t62hazNTIz4=",
        "parentSpanId": "AAAAAAAAAAE=",
        "name": "fds.evaluate",
        "kind": "SPAN_KIND_INTERNAL",
        "startTimeUnixNano": "1000",
        "endTimeUnixNano": "3500",
        "attributes": [{"key": "risk", "value": {"intValue": "42"}}, {"key": "empty", "value": {}}],
        "status": {"code": "STATUS_CODE_ERROR"},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "fds"}}]}
    body = {"trace": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}}
    trace = Tempo("http://t", http=answering(body)).trace(TRACE)
    assert trace is not None
    (found,) = trace.spans
    assert (found.span_id, found.parent) == ("b7ada16b3353233e", "0000000000000001")
    assert (found.service, found.duration, found.kind, found.error) == ("fds", 2500, "internal", True)
    assert found.attributes == {"risk": "42", "empty": ""}


@pytest.mark.parametrize(("body", "status"), [({"trace": {}}, 200), ("trace not found", 404)])
def test_unknown_trace_in_tempo_is_none(body: object, status: int) -> None:
    """Tempo's second API answers 404 or an empty trace."""
    assert Tempo("http://t", http=answering(body, status)).trace(TRACE) is None


def test_unknown_trace_in_jaeger_is_none() -> None:
    """Jaeger answers 404 with an error in JSON."""
    body = {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}
    assert Jaeger("http://j", http=answering(body, 404)).trace(TRACE) is None


def test_alerts_are_read() -> None:
    """An alert's state and receivers come along."""
    body = [{"labels": {"alertname": "A"}, "status": {"state": "active"}, "receivers": [{"name": "inbox"}]}]
    (alert,) = Alertmanager("http://a", http=answering(body)).alerts()
    assert (alert.labels["alertname"], alert.state, alert.receivers) == ("A", "active", ("inbox",))
