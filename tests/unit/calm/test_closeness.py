"""How near a rule came: a comparison's share of the way, and conditions of several comparisons."""

import math

import pytest

from firedrill.calm.closeness import Course, closest, share

ONE: frozenset[tuple[str, str]] = frozenset()
A, B = frozenset({("model", "a")}), frozenset({("model", "b")})


@pytest.mark.parametrize(
    ("operator", "value", "threshold", "expected"),
    [
        (">", 5.0, 10.0, 0.5),
        (">", 10.0, 10.0, 1.0),
        (">=", 11.0, 10.0, 1.0),
        (">", 0.0, 0.0, 0.0),
        (">", 1.0, 0.0, 1.0),
        (">", -1.0, 10.0, 0.0),
        ("<", 1.0, 0.8, 0.8),
        ("<", 0.5, 0.8, 1.0),
        ("<", 0.0, 0.0, 0.0),
        ("==", 0.0, 0.0, 1.0),
        ("==", 1.0, 0.0, 0.0),
        ("!=", 1.0, 0.0, 1.0),
        (">", math.nan, 1.0, 0.0),
        (">", math.inf, 1.0, 1.0),
    ],
)
def test_share(operator: str, value: float, threshold: float, expected: float) -> None:
    """1 when it holds, else how much of the way is made."""
    assert share(operator, value, threshold) == pytest.approx(expected)


def near(expression: str, courses: dict[str, Course]) -> tuple[float, float, str]:
    """Share, moment and the comparison of the closest one."""
    found = closest(expression, lambda promql: courses.get(promql, {}))
    assert found is not None
    return found.share, found.at, found.left


def test_the_nearest_moment_counts() -> None:
    """Of all series and moments."""
    courses: dict[str, Course] = {"errors": {A: {1.0: 2.0, 2.0: 4.0}, B: {1.0: 6.0, 2.0: 1.0}}}
    assert near("errors > 10", courses) == (0.6, 1.0, "errors")


def test_a_condition_is_as_near_as_its_furthest_comparison() -> None:
    """Errors enough while there is no traffic are not near, and neither is traffic without errors."""
    courses: dict[str, Course] = {
        "ratio": {ONE: {1.0: 0.9, 2.0: 0.1, 3.0: 0.3}},
        "requests": {ONE: {1.0: 2.0, 2.0: 100.0, 3.0: 8.0}},
    }
    assert near("ratio > 0.5 and requests >= 20", courses) == (0.4, 3.0, "requests")


def test_comparisons_are_joined_by_labels() -> None:
    """One model's errors are not held against another's calls."""
    courses: dict[str, Course] = {
        "ratio": {A: {1.0: 0.5}, B: {1.0: 0.0}},
        "calls": {A: {1.0: 1.0}, B: {1.0: 100.0}},
    }
    assert near("ratio > 0.5 and calls >= 10", courses) == (0.1, 1.0, "calls")


def test_a_comparison_without_such_a_series_counts_with_its_nearest() -> None:
    """As a rule does whose second side is a sum over all."""
    courses: dict[str, Course] = {"ratio": {A: {1.0: 0.4}}, "calls": {ONE: {1.0: 100.0}}}
    assert near("ratio > 0.5 and calls >= 10", courses) == (0.8, 1.0, "ratio")


def test_a_threshold_may_be_a_series() -> None:
    """Looked up at the same moment."""
    courses: dict[str, Course] = {
        "queue": {ONE: {1.0: 30.0, 2.0: 40.0}},
        "room": {ONE: {1.0: 40.0, 2.0: 100.0}},
    }
    assert near("queue > room", courses) == (0.75, 1.0, "queue")


def test_a_value_tells_more_than_none() -> None:
    """Of moments equally far, one that has a value is shown."""
    courses: dict[str, Course] = {"burn": {ONE: {1.0: math.nan, 2.0: 0.0}}}
    assert near("burn > 6", courses) == (0.0, 2.0, "burn")


def test_what_cannot_be_taken_apart_gives_nothing() -> None:
    """Neither an `or` nor a condition without a series."""
    assert closest("a > 1 or b > 1", lambda promql: {ONE: {1.0: 2.0}}) is None
    assert closest("a > 1", lambda promql: {}) is None
    assert closest("vector(1)", lambda promql: {ONE: {1.0: 1.0}}) is None
