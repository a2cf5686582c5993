"""The endpoints that watch a service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from telemetry.traces import span

PATHS = ["/metrics", "/health/live", "/health/ready"]


async def good() -> None:
    with span("select 1"):
        pass


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_they_are_neither_counted_nor_logged_nor_traced(make_site: Any, path: str, method: str) -> None:
    """Exactly these paths, at once and without a redirect."""
    site = make_site()
    response = site.fetch(method, path)
    assert response.status_code == 200
    assert site.lines() == []
    assert site.spans() == []
    assert "http_requests_total{" not in site.exposed()
    site.fetch("GET", f"{path}x")
    assert len(site.lines()) == len(site.spans()) == 1


def test_metrics_are_openmetrics_when_asked_and_classic_otherwise(site: Any) -> None:
    """Both can be parsed, name counters alike, and have no _created series."""
    site.get("/nowhere")
    prometheus = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.2"
    )
    asked, plain = site.get("/metrics", headers={"accept": prometheus}), site.get("/metrics")
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for text in (asked.text, plain.text):
        assert 'http_requests_total{endpoint="unknown",method="GET",status="404"} 1.0' in text
        assert "_created" not in text
        assert "process_cpu_seconds_total" in text
    families = parse_openmetrics(asked.text)  # type: ignore[no-untyped-call]  # partly typed
    assert {family.name for family in families} >= {
        "http_requests",
        "telemetry_spans_dropped",
    }
    assert list(parse_classic(plain.text))


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=x", "," * 5000, ";=;=", "*/*", "é"])
def test_an_odd_accept_header_still_gets_metrics(site: Any, accept: str) -> None:
    """In some format."""
    response = site.get("/metrics", headers={"accept": accept.encode()})
    assert response.status_code == 200
    assert "process_cpu_seconds_total" in response.text


def test_readiness_names_the_checks_that_fail(make_site: Any) -> None:
    """With a masked reason and status 503, within its time limit; liveness does not depend on them."""

    async def refused() -> None:
        raise ConnectionError("postgresql://fds:hunter22@postgres:5432/fds refused")

    site = make_site(ready={"cache": good, "database": refused})
    response = site.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "failing": ["database"],
        "checks": {
            "cache": "ok",
            "database": "ConnectionError: postgresql://***CREDENTIALS_MASKED***@postgres:5432/fds refused",
        },
    }
    assert site.get("/health/live").status_code == 200


def test_a_check_that_hangs_is_a_failed_check(make_site: Any) -> None:
    """Probes have their own time limits."""

    async def hangs() -> None:
        await asyncio.Event().wait()

    site = make_site(ready={"peer": hangs})
    assert "no answer within 2 s" in site.get("/health/ready").json()["checks"]["peer"]


def test_readiness_with_good_checks_is_200(make_site: Any) -> None:
    """And leaves no trace of the checks' own spans."""
    site = make_site(ready={"cache": good})
    assert site.get("/health/ready").json() == {"status": "ready", "failing": [], "checks": {"cache": "ok"}}
    assert site.spans() == []


def test_a_gauge_that_cannot_be_read_hides_no_other(site: Any) -> None:
    """Its failure is counted instead."""
    pool = site.telemetry.metrics.gauge("pool_connections", "Connections in use.")
    site.telemetry.metrics.before_expose(lambda: pool.set(3))
    site.telemetry.metrics.before_expose(lambda: 1 / 0)
    assert "pool_connections 3.0" in site.exposed()
    assert site.value("telemetry_gauge_reads_failed_total") == 1
