"""Spans: how they are configured, what they show, and what becomes of them."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import StatusCode

from firedrill.wait import poll_until
from telemetry.app import Telemetry, instrument
from telemetry.incoming import carried, carrier_names
from telemetry.settings import SettingsError, TelemetrySettings
from telemetry.traces import current_trace_id, span


class Collector:
    """An OTLP/HTTP receiver in memory."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces" and outer.status == 200:
                    outer.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Any]:
        return [
            each
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for each in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that answers."""
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silence() -> Iterator[str]:
    """An address at which somebody listens and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(50)
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Sink:
    """Keeps lines."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def write(self, lines: Any) -> None:
        self.raw.extend(lines)

    def close(self) -> None:
        pass


def start(sink: Sink | None = None, **otel: str) -> Telemetry:
    """Telemetry as the environment would have it."""
    settings = TelemetrySettings.from_environment(
        {"ENVIRONMENT": "test", "APP_VERSION": "9", **otel}, service="shop", system="shopfds"
    )
    return Telemetry.start(settings, sinks=[sink or Sink()])


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.metrics.registry.get_sample_value(name, labels)


def resource_of(request: ExportTraceServiceRequest) -> dict[str, str]:
    return {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}


def test_the_standard_variables_choose_endpoint_and_resource(collector: Collector) -> None:
    """OTLP over HTTP is the default; what the environment says of the resource wins."""
    before = dict(os.environ)
    telemetry = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=lab,team=fraud",
        OTEL_SERVICE_NAME="renamed",
    )
    with span("one"):
        pass
    assert telemetry.flush()
    telemetry.shutdown()
    resource = resource_of(collector.requests[0])
    assert (resource["service.name"], resource["service.version"]) == ("renamed", "9")
    assert (resource["deployment.environment.name"], resource["team"]) == ("lab", "fraud")
    assert [each.name for each in collector.spans] == ["one"]
    assert value(telemetry, "telemetry_spans_exported_total") == 1
    assert dict(os.environ) == before
    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"


@pytest.mark.parametrize(
    ("otel", "exported"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.0"}, 0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.0"}, 200),
        ({"OTEL_TRACES_SAMPLER": "nonsense"}, 200),
        ({"OTEL_SDK_DISABLED": "true"}, 0),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0),
    ],
)
def test_the_standard_variables_choose_what_is_sampled(
    collector: Collector, otel: dict[str, str], exported: int
) -> None:
    """Nothing fails when a value is unknown."""
    telemetry = start(None, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **otel)
    for _ in range(200):
        with span("one"):
            pass
    telemetry.shutdown()
    assert len(collector.spans) == exported


def test_a_ratio_is_a_ratio_and_children_follow_their_parent(collector: Collector) -> None:
    """Each trace is whole or absent."""
    telemetry = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.1",
        OTEL_BSP_MAX_QUEUE_SIZE="10000",
    )
    for _ in range(1000):
        with span("outer"), span("inner"):
            pass
    telemetry.shutdown()
    by_trace: dict[bytes, int] = {}
    for each in collector.spans:
        by_trace[each.trace_id] = by_trace.get(each.trace_id, 0) + 1
    assert 40 < len(by_trace) < 200
    assert set(by_trace.values()) == {2}


def test_an_exporter_that_is_not_installed_is_refused_with_what_to_do() -> None:
    """At the start, not in the middle of a request."""
    with pytest.raises(SettingsError, match="http/protobuf, console or none"):
        start(OTEL_TRACES_EXPORTER="zipkin")
    with pytest.raises(SettingsError, match="grpc"):
        start(OTEL_EXPORTER_OTLP_PROTOCOL="grpc")


def test_old_names_still_lead_to_the_collector(collector: Collector) -> None:
    """With a warning in the log."""
    sink = Sink()
    telemetry = start(sink, OTLP_ENDPOINT=collector.url)
    with span("one"):
        pass
    telemetry.shutdown()
    assert len(collector.spans) == 1
    assert b"OTLP_ENDPOINT is an old name" in sink.raw[0]


def test_a_dead_collector_harms_nobody_and_its_losses_are_counted(nobody: str) -> None:
    """Requests answer, the end comes in time, and the log does not fill."""
    sink = Sink()
    telemetry = start(
        sink,
        OTEL_EXPORTER_OTLP_ENDPOINT=nobody,
        OTEL_BSP_MAX_QUEUE_SIZE="50",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
        OTEL_BSP_SCHEDULE_DELAY="10",
    )
    begun = time.perf_counter()
    for _ in range(2000):
        with span("one"):
            pass
    assert time.perf_counter() - begun < 2
    begun = time.perf_counter()
    telemetry.shutdown()
    assert time.perf_counter() - begun < 6
    reasons = ("queue_full", "export_failed", "shutdown", "failed")
    lost = {reason: value(telemetry, "telemetry_spans_dropped_total", reason=reason) for reason in reasons}
    assert sum(count or 0 for count in lost.values()) == 2000, lost
    assert value(telemetry, "telemetry_spans_exported_total") == 0
    assert len(sink.raw) < 10


def test_a_collector_that_never_answers_cannot_hold_up_the_end(silence: str) -> None:
    """The export is given up after three seconds."""
    telemetry = start(OTEL_EXPORTER_OTLP_ENDPOINT=silence, OTEL_BSP_SCHEDULE_DELAY="10")
    with span("one"):
        pass
    begun = time.perf_counter()
    assert not telemetry.flush(0.2)
    telemetry.shutdown()
    assert time.perf_counter() - begun < 6


def test_a_collector_that_refuses_is_a_counted_loss(collector: Collector) -> None:
    """And its error is logged once."""
    collector.status = 400
    sink = Sink()
    telemetry = start(sink, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    for _ in range(3):
        with span("one"):
            pass
        telemetry.flush()
    telemetry.shutdown()
    assert value(telemetry, "telemetry_spans_dropped_total", reason="export_failed") == 3
    assert sum(b"code: 400" in line for line in sink.raw) == 1


def test_a_full_queue_drops_and_counts(make_site: Any) -> None:
    """The newest go; those that waited are exported when the collector is back."""
    site = make_site(
        TelemetrySettings(otel={"OTEL_BSP_MAX_QUEUE_SIZE": "20", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5"})
    )
    site.exporter.gate.clear()
    for _ in range(100):
        site.get("/nowhere")
    full = site.value("telemetry_spans_dropped_total", {"reason": "queue_full"})
    assert 75 <= full <= 80
    site.exporter.gate.set()
    assert len(site.spans()) == 100 - full


def test_a_batch_is_sent_early_when_it_is_full(make_site: Any) -> None:
    """Not only after the delay."""
    site = make_site(
        TelemetrySettings(otel={"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5"})
    )
    for _ in range(5):
        site.get("/nowhere")
    poll_until(lambda: len(site.exporter.spans) == 5, "the full batch", 5)


def test_one_odd_value_does_not_cost_the_whole_batch(collector: Collector) -> None:
    """What OTLP cannot hold is replaced."""
    telemetry = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    with span(
        "odd \ud800",
        huge=2**80,
        least=-(2**63),
        text="a\ud800",
        texts=["\udfff"],
        mixed=[1, "a"],
        empty=[],
        raw=b"\xff",
    ) as it:
        it.error("\ud801")
    with span("good"):
        pass
    telemetry.shutdown()
    odd, good = collector.spans
    values = {each.key: each.value for each in odd.attributes}
    assert (odd.name, good.name) == ("odd ?", "good")
    assert (values["huge"].string_value, values["least"].int_value) == (str(2**80), -(2**63))
    assert values["text"].string_value == "a?"


@pytest.mark.parametrize("text", ["", "0", "-3", "many"])
def test_queue_settings_that_mean_nothing_fall_back(make_site: Any, text: str) -> None:
    """As the SDK does."""
    names = ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_SCHEDULE_DELAY")
    site = make_site(TelemetrySettings(otel=dict.fromkeys(names, text)))
    site.get("/nowhere")
    assert len(site.spans()) == 1


def test_a_span_shows_what_it_is_given_and_hides_secrets(site: Any) -> None:
    """In its name, attributes, status, events and links."""
    with (  # noqa: PT012 - the block is what is tested
        pytest.raises(ValueError, match="hunter22"),
        span("to user@example.com", **{"llm.model": "m", "nothing": None}) as it,
    ):
        it.set("tags", ["a", "user@example.com"])
        it.set("counts", [1, 2])
        it.set("api_key", "short")
        it.set("user_id", "bob")
        it.set("object", {"a": 1})
        it.set("none", None)
        it.link("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
        raise ValueError("password=hunter22")
    with span("plain") as other:
        other.error("timed out for 010-1234-5678")
    failed, plain = site.spans()
    attributes = dict(failed.attributes)
    assert failed.name == "to ***EMAIL_MASKED***"
    assert (attributes["llm.model"], attributes["tags"]) == ("m", ("a", "***EMAIL_MASKED***"))
    assert (attributes["counts"], attributes["api_key"], attributes["object"]) == (
        (1, 2),
        "***MASKED***",
        "{'a': 1}",
    )
    assert len(attributes["user_id"]) == 64
    assert not {"nothing", "none"} & attributes.keys()
    assert (failed.status.status_code, failed.status.description) == (
        StatusCode.ERROR,
        "ValueError: password=***MASKED***",
    )
    assert attributes["error.type"] == "ValueError"
    assert f"{failed.links[0].context.span_id:016x}" == "b7ad6b7169203331"
    assert "hunter22" not in failed.to_json()
    assert plain.status.description == "timed out for ***PHONE_MASKED***"


def test_spans_without_telemetry_do_nothing() -> None:
    """A domain can open them in any test."""
    with span("alone", a=1) as it:
        it.set("b", 2)
        it.error("x")
    assert current_trace_id() is None or len(current_trace_id() or "") == 32


def test_a_request_without_a_tracer_still_answers(make_site: Any) -> None:
    """With OTEL_SDK_DISABLED there are no ids, and everything else stays."""
    site = make_site(TelemetrySettings(otel={"OTEL_SDK_DISABLED": "true"}))
    response = site.get("/nowhere")
    assert response.status_code == 404
    assert "x-trace-id" not in response.headers
    assert site.lines()[0]["trace_id"] == ""


def test_instrumenting_needs_a_started_telemetry() -> None:
    """The two are joined in one order only."""
    telemetry = start(OTEL_TRACES_EXPORTER="none")
    telemetry.shutdown()
    telemetry.shutdown()
    assert callable(instrument)


def test_a_secret_in_tracestate_goes_no_further() -> None:
    """It would be stored beside every span and passed on to peers; a harmless one is kept."""
    parent = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    for state, kept in ((b"vendor=4539578763621486", 0), (b"vendor=00f067aa0ba902b7", 1)):
        read = carried([parent, (b"tracestate", state)], carrier_names())
        context = trace.get_current_span(read).get_span_context()
        assert context.is_valid
        assert len(context.trace_state) == kept
