"""Durations: read, written, and never changed on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firedrill.pace import format_duration, pace_duration, parse_duration, seconds
from firedrill.pace.documents import RANGE_FLOOR, scale, scale_range

MILLISECONDS = st.integers(min_value=0, max_value=10 * 365 * 86_400_000)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("15s", 15_000),
        ("1m30s", 90_000),
        ("1s500ms", 1_500),
        ("1d", 86_400_000),
        ("2w", 1_209_600_000),
    ],
)
def test_reads_prometheus_durations(text: str, milliseconds: int) -> None:
    """Units from years to milliseconds, in falling order; 0 needs none."""
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "1.5s", "5 m", "-5m", "5s1m", "five minutes", "1ms5s", "5m\n"])
def test_refuses_what_is_no_duration(text: str) -> None:
    """Prometheus would refuse the same."""
    with pytest.raises(ValueError, match="is not a Prometheus duration"):
        parse_duration(text)


def test_writes_a_second_and_a_half_without_a_decimal_point() -> None:
    """Prometheus knows no 1.5s."""
    assert format_duration(1_500) == "1s500ms"
    assert pace_duration("15s", "demo") == "1s500ms"
    assert seconds("1s500ms") == 1.5


@given(MILLISECONDS)
def test_what_is_written_reads_as_the_same(milliseconds: int) -> None:
    """Round trip."""
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(MILLISECONDS)
def test_no_duration_ever_grows(milliseconds: int) -> None:
    """Neither by division nor by the floor of four scrapes; and none becomes nothing."""
    assert scale(milliseconds) <= milliseconds
    assert scale_range(milliseconds) <= milliseconds
    assert (scale(milliseconds) == 0) == (milliseconds == 0)


@given(MILLISECONDS)
def test_a_range_keeps_four_scrapes(milliseconds: int) -> None:
    """A range that had them at production pace has them at demo pace."""
    assert scale_range(milliseconds) >= min(milliseconds, RANGE_FLOOR)


@given(MILLISECONDS)
def test_production_pace_changes_no_duration(milliseconds: int) -> None:
    """Not even its spelling."""
    assert pace_duration(format_duration(milliseconds), "production") == format_duration(milliseconds)


def test_a_negative_duration_is_a_mistake() -> None:
    """It would be written as something else."""
    with pytest.raises(ValueError, match="negative"):
        format_duration(-1)
