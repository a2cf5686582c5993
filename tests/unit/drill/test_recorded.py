"""What a counter was until the fault: grown as rate() would have it, with holes where nothing was scraped."""

from itertools import pairwise

import pytest

from firedrill.drill.recorded import Point, Recorded, grown


def scraped(values: list[float | None], *, first: float = 1.0, step: float = 1.5) -> list[Point]:
    """Samples `step` seconds apart."""
    return [(first + step * index, value) for index, value in enumerate(values) if value is not None]


def test_all_series_grow_together() -> None:
    """Each from its first sample on; what it had then does not count, as rate() does not count it."""
    one, late = scraped([10, 12, 15, 15]), scraped([None, None, 40, 41])
    assert grown([one, late], end=5.5, step=1.5, count=4) == (0.0, 2.0, 5.0, 6.0)


def test_a_restart_takes_nothing_from_a_counter() -> None:
    """Not even where series come back one after another, and some never."""
    first, second, gone = scraped([90, 95, 2, 4]), scraped([50, 50, 50, 1]), scraped([200, 200])
    assert grown([first, second, gone], end=5.5, step=1.5, count=4) == (0.0, 5.0, 7.0, 10.0)


def test_where_nothing_was_scraped_is_a_hole() -> None:
    """A stack that was down; what grew before it still counts. A sample is good until the next is late."""
    values = [5.0, 6.0, *[None] * 4, 1.0, 3.0]
    assert grown([scraped(values)], end=11.5, step=1.5, count=8) == (0, 1, 1, None, None, None, 2, 4)


def test_a_course_begins_with_its_first_sample_and_needs_its_last() -> None:
    """Nothing is known of a counter that is not there at the fault."""
    assert grown([scraped([None, 4, 5])], end=4.0, step=1.5, count=3) == (0.0, 1.0)
    assert grown([scraped([4, 5, None, None])], end=5.5, step=1.5, count=4) == ()
    assert grown([], end=5.5, step=1.5, count=4) == ()


def test_scrapes_that_come_unevenly_leave_no_hole() -> None:
    """A scrape is late by half its interval at most."""
    points = [(at, at) for at in (1.0, 2.9, 4.1, 5.4)]
    found = grown([points], end=5.5, step=1.5, count=4)
    assert None not in found
    assert all((b or 0) >= (a or 0) for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("before", "value"),
    [(0.0, 4.0), (0.75, 3.0), (1.5, 2.0), (3.0, None), (2.25, None), (5.25, 0.5), (7.0, None)],
)
def test_a_hole_has_no_value(before: float, value: float | None) -> None:
    """Between two samples a counter grows evenly."""
    assert Recorded(1.5, (0.0, 1.0, None, 2.0, 4.0)).at(before) == value
