"""False alarms on the real stack: its start and first minutes are calm, and what is not calm is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from firedrill.wait import poll_until
from tests.integration.starts import check_calm

REPORT = Path(__file__).resolve().parents[2] / "reports" / "calm" / "calm.json"


def look_back(stack: Any, minutes: float) -> tuple[Any, Any]:
    """What the command says of the last minutes, and its document."""
    done = stack.command("calm", "--past", "--minutes", str(minutes))
    return done, json.loads(REPORT.read_text("utf-8"))


@pytest.fixture(scope="module")
def start(stack: Any) -> tuple[Any, Any]:
    """From the start of the stack until now: this file runs before anything is broken or loaded."""
    beats = 'count_over_time(ALERTS{alertname="Watchdog"}[1h])'
    poll_until(lambda: (stack.prometheus.query(beats).total() or 0) >= 60, "90 s of evaluations", 180)
    return look_back(stack, 60)


def test_the_start_is_calm(start: Any) -> None:
    """No alert fires while services start, windows fill and the first errors come; nobody is told."""
    check_calm(*start)


def test_every_alert_is_watched(start: Any, stack: Any) -> None:
    """All that Prometheus runs, and of most it is known how near they came."""
    courses = start[1]["courses"]
    groups = stack.prometheus.get("/api/v1/rules", {"type": "alert"})["data"]["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]} - {"Watchdog"}
    assert {one["rule"]["name"] for one in courses} == loaded
    unknown = {one["rule"]["name"] for one in courses if one["closest"] is None}
    # Joined by `or`; a gauge that is absent until fifty cases are labelled, which takes some minutes.
    assert unknown <= {"TracePipelineStalled", "FDSPrecisionDrop"}


def test_a_fault_makes_it_no_calm(stack: Any) -> None:
    """A watch is refused while something is broken, and the time does not count afterwards."""
    stack.must("fault", "set", "judgment/cache_off", "--ttl", "60")
    try:
        poll_until(lambda: stack.prometheus.query("fault_active > 0").series, "the fault is scraped", 20)
        refused = stack.command("calm", "--minutes", "1")
        assert refused.returncode == 1
        assert "judgment/cache_off" in refused.stderr
    finally:
        stack.must("fault", "clear", "judgment/cache_off")
    done, _ = look_back(stack, 1)
    assert done.returncode == 1
    assert "does not count: something was broken meanwhile: judgment/cache_off" in done.stdout


def test_an_alert_is_named(stack: Any) -> None:
    """As long as it fires a watch is refused; looking back finds it with its messages."""
    firing = 'ALERTS{alertname="TargetDown", alertstate="firing"}'
    stack.must("stop", "redis-exporter")
    try:
        poll_until(lambda: stack.prometheus.query(firing).series, "TargetDown fires", 60)
        refused = stack.command("calm", "--minutes", "1")
        assert refused.returncode == 1
        assert "TargetDown (firing)" in refused.stderr
    finally:
        stack.must("start", "redis-exporter")
    poll_until(lambda: not stack.prometheus.query(firing).series, "TargetDown has ended", 60)
    done, document = look_back(stack, 2)
    assert done.returncode == 1
    assert "TargetDown" in {one["rule"]["name"] for one in document["courses"] if one["fired"]}
    assert "TargetDown" in {one["alertname"] for one in document["messages"]}
