"""From the seven functions, and from a plain sentry-sdk, over HTTP into an inbox in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firedrill.wait import poll_until
from telemetry import sentry
from telemetry.masking import hash_user_id
from telemetry.metrics import Metrics
from telemetry.sentry import SentrySettings

ROOT = Path(__file__).parents[3]
KEY = "0123456789abcdef0123456789abcdef"
PLANTED = {
    "card": ("4111 1111 1111 1111", "4111 1111"),
    "address": ("minji.kim@example.com", "minji.kim"),
    "service_key": ("sk-1234567890abcdef1234", "1234567890abcdef"),
    "cloud_key": ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    "call": ("010-1234-5678", "1234-5678"),
    "store": ("postgresql://fds:hunter2secret@postgres:5432/fds", "hunter2secret"),
}
ALL = ", ".join(secret for secret, _ in PLANTED.values())


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An inbox under uvicorn on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("inbox")
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "INBOX_DATA": str(folder / "data"),
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "inbox",
    }
    command = [sys.executable, "-m", "uvicorn", "services.inbox.app:from_environment", "--factory"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            poll_until(lambda: client.get("/health/ready").is_success, "the inbox is ready", 30, interval=0.1)
            yield client
    finally:
        process.terminate()
        process.wait(15)


def dsn(inbox: httpx.Client) -> str:
    """The DSN that sends to it."""
    return f"http://{KEY}@127.0.0.1:{inbox.base_url.port}/sentry/1"


def arrived(inbox: httpx.Client, title: str) -> dict[str, Any]:
    """The newest event whose title holds `title`, with its payload."""

    def look() -> dict[str, Any] | None:
        found = inbox.get("/api/v1/messages", params={"kind": "sentry"}).json()["messages"]
        return next((each for each in found if title in each["title"]), None)

    message = poll_until(look, f"an event {title!r} arrives", 10, interval=0.05)
    assert message is not None
    whole: dict[str, Any] = inbox.get(f"/api/v1/messages/{message['id']}").json()
    return whole


def broken_engine(card: str, address: str) -> None:
    """Its variables, its text and its cause's text hold everything that was planted."""
    whole = f"{card} {address} {ALL}"
    try:
        raise OSError(f"no connection: {whole}")
    except OSError as error:
        raise RuntimeError(f"model server failed for {whole}") from error


def test_an_fds_exception_arrives_without_what_was_planted(inbox: httpx.Client) -> None:
    """With transaction, risk score and engine; without card, address, keys, number and URL, wherever."""
    metrics = Metrics()
    settings = SentrySettings(dsn=dsn(inbox), service="fds", version="1.2.3")
    assert sentry.init_sentry(settings, metrics=metrics)
    try:
        sentry.add_fds_breadcrumb(
            f"asked the model about {ALL}", transaction_id="tx-77", engine="ml", note=ALL
        )
        try:
            broken_engine(PLANTED["card"][0], PLANTED["address"][0])
        except RuntimeError as error:
            event_id = sentry.capture_fds_exception(
                error,
                transaction_id="tx-77",
                risk_score=91.5,
                engine="ml",
                user_id="bob",
                payment_method=ALL,  # a tag
                request={"body": ALL, "headers": {"authorization": "Bearer hunter2secret"}},
            )
    finally:
        sentry.close_sentry()
    message = arrived(inbox, "model server failed")
    labels = message["labels"]
    assert labels["transaction_id"] == "tx-77"
    assert (labels["risk_score"], labels["engine"], labels["service"]) == ("91.5", "ml", "fds")
    assert (labels["level"], labels["release"], labels["event_id"]) == ("error", "fds@1.2.3", event_id)
    assert labels["user_id"] == hash_user_id("bob")
    assert [each["type"] for each in message["raw"]["exception"]["values"]] == ["OSError", "RuntimeError"]
    assert message["raw"]["breadcrumbs"]["values"][0]["data"]["engine"] == "ml"
    page = inbox.get("/").text
    for name, (_, telltale) in PLANTED.items():
        assert telltale not in str(message), name
        assert telltale not in page, name
    assert "***CARD_MASKED***" in message["text"]
    assert metrics.registry.get_sample_value("telemetry_events_sent_total") == 1


def test_what_was_planted_is_found_when_nobody_masks(inbox: httpx.Client) -> None:
    """The search above would find it: a plain sentry-sdk, brotli and all, sends every one of them."""
    script = """
import sys
import sentry_sdk
from tests.unit.inbox.test_sentry_arrival import ALL, broken_engine
sentry_sdk.init(sys.argv[1], traces_sample_rate=1.0, shutdown_timeout=5)
sentry_sdk.get_isolation_scope().start_session()
try:
    broken_engine("4111 1111 1111 1111", "minji.kim@example.com")
except RuntimeError as error:
    with sentry_sdk.start_transaction(name="unmasked"):
        sentry_sdk.set_tag("engine", "plain")
        sentry_sdk.capture_exception(error)
sentry_sdk.get_isolation_scope().end_session()
sentry_sdk.flush(5)
"""
    environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, dsn(inbox)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    def plain() -> dict[str, Any] | None:
        found = inbox.get("/api/v1/messages", params={"kind": "sentry"}).json()["messages"]
        return next((each for each in found if each["labels"].get("engine") == "plain"), None)

    message = poll_until(plain, "the plain event arrives", 10, interval=0.05)
    assert message is not None
    whole = str(inbox.get(f"/api/v1/messages/{message['id']}").json())
    for name, (_, telltale) in PLANTED.items():
        assert telltale in whole, name
    metrics = inbox.get("/metrics").text
    assert 'inbox_sentry_items_total{type="transaction"} 1.0' in metrics
    assert 'inbox_messages_refused_total{kind="sentry",reason="bad_envelope"} 0.0' in metrics


def test_an_inbox_that_is_away_costs_no_time() -> None:
    """Nobody listens: a hundred calls take no longer than they would with an inbox."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        metrics = Metrics()
        settings = SentrySettings(dsn=f"http://{KEY}@127.0.0.1:{taken.getsockname()[1]}/sentry/1")
        assert sentry.init_sentry(settings, metrics=metrics)
        begun = time.perf_counter()
        for _ in range(100):
            sentry.capture_fds_performance_issue(engine="cti", duration_ms=180, threshold_ms=50)
        spent = time.perf_counter() - begun
        sentry.close_sentry()
    assert spent < 2.0
    lost = [
        metrics.registry.get_sample_value("telemetry_events_dropped_total", {"reason": reason}) or 0.0
        for reason in ("throttled", "unreachable", "shutdown")
    ]
    assert sum(lost) >= 99
