"""The chart of how many lines of each level came when."""

from console.logs.volume import options, query_of, step_of
from firedrill.clients import Series


def test_the_query_counts_the_lines_of_the_search() -> None:
    """The same query, counted by level in bars of a sixtieth of the time."""
    assert query_of('{service="fds"}', step_of(0, 900)) == (
        'sum by (level) (count_over_time({service="fds"} [15s]))'
    )
    assert step_of(0, 10) == 1


def test_bars_stand_in_the_middle_of_what_they_count_and_bad_ones_on_top() -> None:
    """A point counts the time before it; levels are stacked from quiet to loud, unknown ones last."""
    found = [Series({"level": name}, ((30.0, 2.0),)) for name in ("ERROR", "odd", "INFO")]
    drawn = options(found, start=0, end=60, step=10)
    assert [one["name"] for one in drawn["series"]] == ["INFO", "ERROR", "odd"]
    assert drawn["series"][0]["data"] == [[25_000, 2.0]]
