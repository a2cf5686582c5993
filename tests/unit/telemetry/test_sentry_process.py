"""What Sentry does to the process around it: next to nothing, even when its server is dead."""

from __future__ import annotations

import http.client
import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sentry_sdk
from opentelemetry import baggage, propagate
from opentelemetry.context import attach, detach

from firedrill.wait import poll_until
from telemetry import sentry
from telemetry.app import Telemetry, instrument_httpx
from telemetry.metrics import Metrics
from telemetry.sentry import SentrySettings
from telemetry.sentry_client import BURST, PER_SECOND, Allowance
from telemetry.sentry_transport import QUEUE_EVENTS, QueuedTransport
from telemetry.settings import TelemetrySettings
from telemetry.traces import span
from tests.unit.telemetry.sentry_rig import KEY, dsn, fake_sentry, sentry_on

ROOT = Path(__file__).parents[3]
ALL_SEVEN = """
import sys, time
from telemetry import sentry
from telemetry.metrics import Metrics
begun = time.perf_counter()
settings = sentry.SentrySettings.from_environment({"ENVIRONMENT": "production"}, service="fds")
assert not sentry.init_sentry(settings, metrics=Metrics())
for _ in range(1000):
    assert sentry.capture_exception_with_context(ValueError("x"), user_id="bob") is None
    assert sentry.capture_fds_exception(ValueError("x"), transaction_id="tx") is None
    assert sentry.capture_fds_performance_issue(engine="ml", duration_ms=2, threshold_ms=1) is None
    sentry.add_breadcrumb("x")
    sentry.add_fds_breadcrumb("x", engine="ml")
    with sentry.start_transaction("x") as begun_one:
        begun_one.set_tag("a", "b")
spent = time.perf_counter() - begun
assert not {"sentry_sdk", "urllib3", "certifi"} & set(sys.modules), "the SDK was imported"
print(spent)
"""


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections: bound, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        yield listener.getsockname()[1]


def test_off_without_a_dsn() -> None:
    """The SDK is not even imported, also with Spotlight set; 6,000 calls take well under a second."""
    environ = {"PYTHONPATH": str(ROOT), "SENTRY_SPOTLIGHT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ALL_SEVEN], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.0


def test_spotlight_gets_nothing_with_a_dsn_either() -> None:
    """SENTRY_SPOTLIGHT would send every event a second time, to wherever it says."""
    script = """
import sys
import sentry_sdk
from telemetry import sentry
from telemetry.metrics import Metrics
settings = sentry.SentrySettings(dsn=sys.argv[1], service="fds")
assert sentry.init_sentry(settings, metrics=Metrics())
client = sentry_sdk.get_client()
assert client.spotlight is None
assert client.options["error_sampler"] is None and client.options["traces_sampler"] is None
assert not client.should_send_default_pii()
sentry.capture_exception_with_context(ValueError("x"))
sentry.close_sentry()
"""
    with fake_sentry() as fake, fake_sentry() as spotlight:
        environ = {
            "PYTHONPATH": str(ROOT),
            "SENTRY_SPOTLIGHT": f"http://127.0.0.1:{spotlight.port}/stream",
            "SENTRY_DEBUG": "1",
        }
        command = [sys.executable, "-B", "-c", script, dsn(fake.port)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert (len(fake.events), spotlight.requests) == (1, [])


@pytest.mark.parametrize("wrong", ["nonsense", "http://host/1", "ftp://k@h/1", "http://k@h/project"])
def test_a_wrong_dsn_switches_sentry_off_and_is_not_repeated(wrong: str) -> None:
    """The service starts; the log says what to write."""
    assert not sentry.init_sentry(SentrySettings(dsn=wrong), metrics=Metrics())
    assert not sentry.is_on()
    assert wrong not in repr(SentrySettings(dsn=wrong))


@pytest.mark.parametrize(
    ("environment", "least", "most"), [("development", 1000, 1000), ("production", 50, 160)]
)
def test_share_of_transactions_by_environment(environment: str, least: int, most: int) -> None:
    """All in development, one in ten in production."""
    settings = SentrySettings.from_environment({"ENVIRONMENT": environment}, service="fds")
    assert settings.traces_sample_rate == {"development": 1.0, "production": 0.1}[environment]
    random.seed(7)
    with closed_port() as port, sentry_on(port, environment=environment):
        begun = [sentry.start_transaction("x") for _ in range(1000)]
    assert least <= sum(bool(getattr(each, "sampled", False)) for each in begun) <= most


def test_nothing_is_patched() -> None:
    """Neither logging, nor threads, nor HTTP, nor the hooks of the interpreter, nor the propagator."""

    def hooks() -> list[object]:
        return [
            sys.excepthook,
            threading.Thread.start,
            threading.Thread.run,
            http.client.HTTPConnection.putrequest,
            subprocess.Popen.__init__,
            logging.Logger.callHandlers,
            list(logging.getLogger().handlers),
            propagate.get_global_textmap(),
            httpx.Client.send,
            httpx.AsyncClient.send,
        ]

    before = hooks()
    with closed_port() as port, sentry_on(port):
        logging.getLogger("somebody").error("an error line is no event")
        assert sentry_sdk.get_client().integrations == {}
        assert hooks() == before
    assert not sentry_sdk.get_client().is_active()


def test_outgoing_headers_are_those_without_sentry() -> None:
    """traceparent and W3C baggage as ever; no sentry-trace, and no entry of Sentry's in baggage."""
    instrument_httpx()
    telemetry = Telemetry.start(TelemetrySettings(service="shop"), sinks=[])
    token = attach(baggage.set_baggage("drill", "x"))

    def ask(port: int) -> dict[str, str]:
        with span("ask"), httpx.Client() as client:
            client.post(f"http://127.0.0.1:{port}/v1", content=b"x\ny\nz")
        return peer.requests[-1][1]

    try:
        with fake_sentry() as peer, fake_sentry() as fake:
            plain = ask(peer.port)
            with sentry_on(fake.port):
                sentry.add_breadcrumb("x")
                watched = ask(peer.port)
                with sentry.start_transaction("job"):
                    inside = ask(peer.port)
    finally:
        detach(token)
        telemetry.shutdown()
    assert plain.keys() == watched.keys() == inside.keys()
    assert plain["baggage"] == watched["baggage"] == inside["baggage"] == "drill=x"
    for each in (plain, watched, inside):
        assert each["traceparent"].startswith("00-")
        assert "sentry" not in str({**each, "host": ""}).lower()


@pytest.mark.parametrize("port_of", [closed_port, silent_port])
def test_a_dead_server_costs_only_the_events(port_of: object) -> None:
    """Refusing or hanging: calls return at once, the end comes in time, and every loss is counted."""
    assert callable(port_of)
    with port_of() as port, sentry_on(port) as process:
        slowest = 0.0
        for number in range(2 * BURST):
            begun = time.perf_counter()
            sentry.capture_fds_exception(ValueError(str(number)), transaction_id="tx")
            slowest = max(slowest, time.perf_counter() - begun)
        assert slowest < 0.25
        begun = time.perf_counter()
        sentry.close_sentry()
        assert time.perf_counter() - begun < 4.0
        lost = {reason: process.dropped(reason) for reason in ("throttled", "unreachable", "shutdown")}
        # One that is under way when the process ends can be counted by nobody any more.
        assert 2 * BURST - 1 <= sum(lost.values()) <= 2 * BURST
        assert lost["throttled"] > 0
        assert process.sent == 0


def test_a_full_queue_drops_and_counts() -> None:
    """The oldest stay; nothing waits."""
    losses: list[str] = []
    with silent_port() as port:
        transport = QueuedTransport(
            dsn(port), sent=lambda _: None, dropped=lambda reason, count: losses.extend([reason] * count)
        )
        for _ in range(QUEUE_EVENTS + 50):
            envelope = sentry_sdk.envelope.Envelope()
            envelope.add_event({"event_id": "a"})
            transport.capture_envelope(envelope)
        assert 49 <= losses.count("queue_full") <= 50
        transport.kill()
    assert len(losses) >= QUEUE_EVENTS + 49


def test_refusals_and_limits_of_the_server_are_counted() -> None:
    """A refusal costs one event; after a 429 nothing is sent for as long as it says."""
    with fake_sentry(status=403) as fake, sentry_on(fake.port) as process:
        sentry.capture_exception_with_context(ValueError("one"))
        poll_until(lambda: process.dropped("refused") == 1, "the refusal is counted", 5, interval=0.02)
        fake.status, fake.headers = 429, {"retry-after": "60"}
        for _ in range(3):
            sentry.capture_exception_with_context(ValueError("more"))
        poll_until(lambda: process.dropped("rate_limited") == 3, "all are counted", 5, interval=0.02)
        assert len(fake.requests) == 2


def test_a_limit_for_transactions_does_not_hold_back_errors() -> None:
    """X-Sentry-Rate-Limits names categories."""
    limits = {"x-sentry-rate-limits": "60:transaction;span:organization, nonsense"}
    with fake_sentry(headers=limits) as fake, sentry_on(fake.port) as process:
        for _ in range(2):
            with sentry.start_transaction("job"):
                pass
        sentry.capture_exception_with_context(ValueError("x"))
        poll_until(lambda: process.sent == 2, "one of each is taken", 5, interval=0.02)
        assert process.dropped("rate_limited") == 1


def test_events_arrive_again_when_the_server_is_back() -> None:
    """Nothing has to be restarted."""
    with fake_sentry(status=500) as fake, sentry_on(fake.port) as process:
        sentry.capture_exception_with_context(ValueError("one"))
        poll_until(lambda: process.dropped("refused") == 1, "the loss is counted", 5, interval=0.02)
        fake.status = 200
        sentry.capture_exception_with_context(ValueError("two"))
        poll_until(lambda: process.sent == 1, "the next one arrives", 5, interval=0.02)


class Clock:
    """A clock that a test turns."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_storm_of_errors_is_thinned_out() -> None:
    """A burst at once, then so many a second; a quiet hour saves up no more than the burst."""
    clock = Clock()
    allowance = Allowance(clock=clock)
    assert sum(allowance.take() for _ in range(200)) == BURST
    clock.now += 1.0
    assert sum(allowance.take() for _ in range(200)) == PER_SECOND
    clock.now += 3600.0
    assert sum(allowance.take() for _ in range(200)) == BURST


def test_an_object_that_fails_costs_no_request() -> None:
    """A context value whose own code raises is reported as unreadable, or not at all."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    with fake_sentry() as fake, sentry_on(fake.port) as process:
        sentry.capture_exception_with_context(ValueError("x"), odd=Hostile(), user_id=Hostile())
        sentry.capture_exception_with_context(ValueError("y"), odd=Hostile(), engine=Hostile())
        sentry.add_breadcrumb("x", odd=Hostile())
        sentry.start_transaction("x", odd=Hostile()).finish()
        sentry.close_sentry()
        assert process.sent + process.dropped("failed") >= 3


def test_settings_come_from_the_environment() -> None:
    """OTEL_SERVICE_NAME names the service for events as it does for spans."""
    environ = {
        "SENTRY_DSN": f" {dsn(1)} ",
        "ENVIRONMENT": "production",
        "APP_VERSION": "2.0",
        "OTEL_SERVICE_NAME": "fds-eu",
    }
    settings = SentrySettings.from_environment(environ, service="fds")
    assert settings == SentrySettings(dsn=dsn(1), environment="production", version="2.0", service="fds-eu")
    assert KEY not in repr(settings)
