"""What a Sentry event says, and what it never says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sentry_sdk
from fastapi import FastAPI

from telemetry import sentry
from telemetry.app import Telemetry, instrument
from telemetry.errors import ClientError
from telemetry.logs import bind
from telemetry.masking import hash_user_id
from telemetry.settings import TelemetrySettings
from telemetry.traces import span
from tests.unit.telemetry.sentry_rig import (
    ALL_SECRETS,
    KEY,
    SECRETS,
    TELLTALES,
    FakeSentry,
    Process,
    fake_sentry,
    sentry_on,
)


@pytest.fixture
def fake() -> Iterator[FakeSentry]:
    """A Sentry that takes everything."""
    with fake_sentry() as found:
        yield found


@pytest.fixture
def process(fake: FakeSentry) -> Iterator[Process]:
    """This process with Sentry on, in development."""
    with sentry_on(fake.port) as found:
        yield found


def failed_charge() -> Exception:
    """An exception with secrets in its text, its cause's text, and its frames' variables."""
    card, address = SECRETS["card"], SECRETS["mail"]

    def charge(number: str, mail: str) -> None:
        raise ValueError(f"declined {number} of {mail}; {SECRETS['db']}")

    try:
        try:
            charge(card, address)
        except ValueError as error:
            raise RuntimeError(f"charging failed: {ALL_SECRETS}") from error
    except RuntimeError as error:
        return error


def test_an_fds_exception_says_what_is_known_of_the_payment(process: Process, fake: FakeSentry) -> None:
    """Transaction, risk score, engine, amount and method; the user's hash; release and environment."""
    event_id = sentry.capture_fds_exception(
        failed_charge(),
        transaction_id="tx-1",
        risk_score=91.5,
        engine="ml",
        user_id="bob",
        order_amount=42000,
        payment_method="card",
        attempt=2,
    )
    sentry.close_sentry()
    (event,) = fake.events
    assert event["event_id"] == event_id
    assert event["contexts"]["payment"] == {
        "transaction_id": "tx-1",
        "order_amount": 42000,
        "payment_method": "card",
        "risk_score": 91.5,
        "engine": "ml",
    }
    assert event["tags"] == {
        "service": "fds",
        "engine": "ml",
        "transaction_id": "tx-1",
        "payment_method": "card",
    }
    assert event["user"] == {"id": hash_user_id("bob")}
    assert event["extra"]["attempt"] == 2
    assert (event["release"], event["environment"], event["level"]) == (
        "fds@1.0.rc1",
        "development",
        "error",
    )
    kinds = [each["type"] for each in event["exception"]["values"]]
    assert kinds == ["ValueError", "RuntimeError"]
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["function"], "vars" in frame, "context_line" in frame) == ("charge", False, False)
    path, headers, _ = fake.requests[0]
    assert path == "/sentry/api/1/envelope/"
    assert f"sentry_key={KEY}" in headers["x-sentry-auth"]
    assert process.sent == 1


def test_no_part_of_an_event_holds_a_secret(process: Process, fake: FakeSentry) -> None:
    """Neither message, nor chain, nor breadcrumb, tag, extra, context, request or user."""
    sentry.add_breadcrumb(f"asked {ALL_SECRETS}", card=SECRETS["card"], **{SECRETS["mail"]: [ALL_SECRETS]})
    sentry.add_fds_breadcrumb("asked", transaction_id=SECRETS["card"], password="short")
    sentry_sdk.set_tag("note", ALL_SECRETS)
    sentry_sdk.set_extra("nested", {"a": {"b": {"c": {"d": {"e": {"password": "hunter2secret"}}}}}})
    sentry_sdk.set_context("device", {"owner": ALL_SECRETS})
    sentry_sdk.set_user(
        {"id": "bob", "email": SECRETS["mail"], "username": "Minji", "ip_address": "10.9.8.7"}
    )
    sentry.capture_exception_with_context(
        failed_charge(), payment_method=ALL_SECRETS, note=ALL_SECRETS, api_key="short", card=SECRETS
    )
    sentry_sdk.capture_message(f"said {ALL_SECRETS}", level="error")
    sentry_sdk.capture_event(
        {
            "request": {
                "url": f"http://fds/x?mail={SECRETS['mail']}",
                "headers": {"Authorization": "Bearer abcdefgh12345678", "X-Note": ALL_SECRETS},
                "cookies": {"session": "hunter2secret"},
                "data": json.dumps({"card": SECRETS["card"], "password": "hunter2secret"}),
            },
            "logentry": {"message": "%s", "params": [ALL_SECRETS]},
            "transaction": f"pay {SECRETS['card']}",
            "fingerprint": [ALL_SECRETS],
        }
    )
    with sentry.start_transaction(f"pay {SECRETS['card']}", note=ALL_SECRETS) as begun:
        assert isinstance(begun, sentry_sdk.tracing.Span)
        begun.set_tag("note", ALL_SECRETS)
        with begun.start_child(op="db", name=f"SELECT '{SECRETS['mail']}'") as child:
            child.set_data("dsn", SECRETS["db"])
    sentry.close_sentry()
    assert [kind for kind, _ in fake.items] == ["event", "event", "event", "transaction"]
    for telltale in (*TELLTALES, "Minji", "10.9.8.7", "abcdefgh12345678", "short"):
        assert telltale not in fake.text
    assert fake.events[0]["user"] == {"id": hash_user_id("bob")}
    assert len(fake.events[0]["breadcrumbs"]["values"]) == 2
    for marker in ("***CARD_MASKED***", "***EMAIL_MASKED***", "***PHONE_MASKED***", "***AWS_KEY_MASKED***"):
        assert marker in json.dumps(fake.events[0])


def test_a_slow_engine_is_a_warning_and_a_quick_one_nothing(process: Process, fake: FakeSentry) -> None:
    """The duration stands beside its threshold; the issues of one engine are one."""
    assert sentry.capture_fds_performance_issue(engine="cti", duration_ms=50, threshold_ms=50) is None
    sentry.capture_fds_performance_issue(
        engine="cti", duration_ms=180.5, threshold_ms=50, transaction_id="tx-2", risk_score=12.0
    )
    sentry.close_sentry()
    (event,) = fake.events
    assert (event["level"], event["fingerprint"]) == ("warning", ["FDS engine over its threshold", "cti"])
    assert event["contexts"]["payment"] == {
        "transaction_id": "tx-2",
        "risk_score": 12.0,
        "engine": "cti",
        "duration_ms": 180.5,
        "threshold_ms": 50,
    }


def test_nothing_below_a_warning_is_an_event(process: Process, fake: FakeSentry) -> None:
    """Not even when sentry_sdk is used directly; that is no loss either."""
    sentry_sdk.capture_message("hello", level="info")
    sentry_sdk.capture_message("hello", level="debug")
    sentry.capture_exception_with_context(ValueError("x"), level="info")  # type: ignore[arg-type]  # on purpose
    sentry_sdk.capture_message("careful", level="warning")
    sentry.close_sentry()
    assert [event["level"] for event in fake.events] == ["warning"]
    assert process.dropped("failed") == 0


def test_numbers_and_texts_that_json_cannot_hold_arrive_as_others(process: Process, fake: FakeSentry) -> None:
    """NaN, huge integers and lone surrogates do not cost the event."""
    for value in (float("nan"), 10**40, "\ud800"):
        sentry.capture_exception_with_context(ValueError("odd"), value=value, risk_score=float("inf"))
    sentry.close_sentry()
    assert (len(fake.events), process.dropped("failed")) == (3, 0)


def test_an_exception_is_reported_once(process: Process, fake: FakeSentry) -> None:
    """It may pass several reporters on its way up."""
    error = failed_charge()
    assert sentry.capture_fds_exception(error, transaction_id="tx-3")
    assert sentry.capture_exception_with_context(error) is None
    sentry.close_sentry()
    assert len(fake.events) == 1


class Shop:
    """An application with telemetry and Sentry around it."""

    def __init__(self, *, errors: bool = True) -> None:
        self.app = FastAPI()
        self.telemetry = Telemetry.start(TelemetrySettings(service="shop"), sinks=[])
        sentry.watch_requests(self.app)
        instrument(self.app, self.telemetry)

        @self.app.get("/pay/{number}")
        async def pay(number: str) -> None:
            sentry.add_breadcrumb(f"paying {number}")
            await asyncio.sleep(0.01)
            with bind(tenant_id="t1", user_id="bob"), span("charge"):
                raise RuntimeError("no answer")

        @self.app.get("/refused")
        async def refused() -> None:
            raise ClientError(409, "conflict", "no")

    def get(self, *paths: str) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await asyncio.gather(*(client.get(path) for path in paths))

        return asyncio.run(run())


def test_what_no_handler_expected_is_reported_under_its_trace(process: Process, fake: FakeSentry) -> None:
    """With route, request id and trace id, as the answer has them; an expected refusal is not reported."""
    shop = Shop()
    refused, failed = shop.get("/refused", "/pay/1")
    sentry.close_sentry()
    shop.telemetry.shutdown()
    assert (refused.status_code, failed.status_code) == (409, 500)
    (event,) = fake.events
    assert event["contexts"]["trace"]["trace_id"] == failed.headers["x-trace-id"]
    assert event["tags"]["trace_id"] == failed.headers["x-trace-id"]
    assert event["tags"]["request_id"] == failed.headers["x-request-id"]
    assert event["extra"] == {"method": "GET", "route": "/pay/{number}"}


def test_requests_do_not_see_each_others_breadcrumbs(process: Process, fake: FakeSentry) -> None:
    """Ten at once, each with its own."""
    shop = Shop()
    shop.get(*(f"/pay/{number}" for number in range(10)))
    sentry.close_sentry()
    shop.telemetry.shutdown()
    said: list[list[Any]] = [
        [crumb["message"] for crumb in event["breadcrumbs"]["values"]] for event in fake.events
    ]
    assert sorted(said) == [[f"paying {number}"] for number in range(10)]


def test_a_transaction_belongs_to_the_trace_around_it(process: Process, fake: FakeSentry) -> None:
    """Sentry and Tempo know the work by one id."""
    telemetry = Telemetry.start(TelemetrySettings(service="shop"), sinks=[])
    with span("worker"), sentry.start_transaction("ship orders", op="job", engine="rule"):
        trace_id = telemetry.place.tracer and sentry_sdk.get_current_span().trace_id  # type: ignore[union-attr]
    sentry.close_sentry()
    telemetry.shutdown()
    ((kind, found),) = fake.items
    assert (kind, found["transaction"], found["contexts"]["trace"]["op"]) == (
        "transaction",
        "ship orders",
        "job",
    )
    assert found["contexts"]["trace"]["trace_id"] == trace_id
    assert found["contexts"]["trace"]["parent_span_id"]
