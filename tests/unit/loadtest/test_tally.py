"""Counts and quantiles of a run, exact enough and small."""

import random

import pytest

from loadtest.request import Answer, Request
from loadtest.tally import Tally, bucket, milliseconds_of, quantile


@pytest.mark.parametrize("milliseconds", [0.1, 0.5, 3.0, 99.0, 1234.5, 60_000.0])
def test_classes_are_narrow(milliseconds: float) -> None:
    """A time's class ends at most 2% above it, and never below."""
    edge = milliseconds_of(bucket(milliseconds))
    assert milliseconds * 0.999 <= edge <= milliseconds * 1.021


def test_quantiles_agree_with_the_sorted_times() -> None:
    """P50, P95 and P99 of ten thousand times are within a class of the true ones."""
    choose = random.Random(1)
    times = sorted(choose.lognormvariate(3, 1) for _ in range(10_000))
    tally = Tally()
    for time in times:
        tally.add("x", "ok", time)
    for share in (0.5, 0.95, 0.99):
        assert quantile(tally.routes["x"].times, share) == pytest.approx(
            times[int(share * 10_000) - 1], rel=0.025
        )
    assert len(tally.routes["x"].times) < 700


def test_empty_has_no_quantile() -> None:
    """Nothing measured is not zero."""
    assert Tally().total().as_dict()["p95_ms"] is None
    assert Tally().recent_p95() is None


def test_outcomes_are_counted_apart() -> None:
    """Declines are no failures; failures keep their reason; the total is the sum of the routes."""
    tally = Tally()
    tally.add("a", "ok", 1.0)
    tally.add("a", "declined", 2.0)
    tally.add("b", "failed", 3.0, failure="HTTP 500")
    assert (tally.count(), tally.count("declined"), tally.count("failed")) == (3, 1, 1)
    assert tally.failures == {"b: HTTP 500": 1}
    assert tally.total().as_dict() == pytest.approx(
        {"requests": 3, "declined": 1, "failed": 1, "p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 3.0}, rel=0.03
    )


def test_recent_forgets() -> None:
    """The P95 of the last look holds only what came since."""
    tally = Tally()
    tally.add("a", "ok", 100.0)
    assert tally.recent_p95() == pytest.approx(100, rel=0.03)
    tally.add("a", "ok", 10.0)
    assert tally.recent_p95() == pytest.approx(10, rel=0.03)


def test_outcome_of_an_answer() -> None:
    """Expected is done, an expected error and a decline are intended, everything else is a failure."""
    plain = Request("/x", {}, "x")
    refused = Request("/x", {}, "x", expected=frozenset({422}))
    picky = Request("/x", {}, "x", declines=lambda answer: answer.text("status") == "failed")
    assert plain.outcome(Answer(200)) == "ok"
    assert plain.outcome(Answer(0)) == plain.outcome(Answer(503)) == "failed"
    assert refused.outcome(Answer(422)) == "declined"
    assert refused.outcome(Answer(200)) == "failed"
    assert picky.outcome(Answer(200, {"status": "failed"})) == "declined"
    assert picky.outcome(Answer(200, ["odd"])) == "ok"


def test_answers_are_not_trusted() -> None:
    """Whatever the body is, asking for a text gives a text."""
    assert Answer(200, {"a": {"b": "c"}}).text("a", "b") == "c"
    for body in (None, [], "text", {"a": 1}, {"a": None}):
        assert Answer(200, body).text("a", "b") == ""
