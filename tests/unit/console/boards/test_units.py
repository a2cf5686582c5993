"""Numbers with their units."""

import math

import pytest

from console.boards.units import NONE, number


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (0.0123, "s", None, "12.3 ms"),
        (0.25, "s", None, "250 ms"),
        (1.5, "s", None, "1.5 s"),
        (90.0, "s", None, "90 s"),
        (600.0, "s", None, "10 min"),
        (0.0, "s", None, "0 s"),
        (0.00004, "s", None, "40 µs"),
        (0.987, "percentunit", 1, "98.7%"),
        (0.004, "percentunit", None, "0.4%"),
        (1234.0, "short", None, "1.23 K"),
        (12.0, "short", 0, "12"),
        (0.0, "short", None, "0"),
        (3.456, "reqps", None, "3.46 req/s"),
        (2.0**20 * 134, "bytes", None, "134 MiB"),
        (512.0, "bytes", None, "512 B"),
        (1_250_000.0, "currencyKRW", None, "₩1.25 M"),
        (0.034, "currencyUSD", None, "$0.034"),
        (None, "s", None, NONE),
        (math.nan, "s", None, NONE),
        (math.inf, "s", None, "∞"),
    ],
)
def test_number(value: float | None, unit: str, decimals: int | None, text: str) -> None:
    """As a person reads it."""
    assert number(value, unit, decimals) == text
