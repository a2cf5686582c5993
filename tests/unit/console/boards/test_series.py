"""Series on the grid of a window: gaps, names, last values, periods, exemplars."""

import math

from console.boards.asking import Window
from console.boards.series import Named, last_moment, on_grid, periods, reduced, samples, title, unique
from firedrill.clients.prometheus import Exemplar, Series

SHOWN = Window(100.0, 150.0, 10.0, 20.0)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_gap_stays_a_gap() -> None:
    """Each moment has its place; NaN is nothing; what lies outside is left out."""
    series = Series({"a": "b"}, ((100.0, 1.0), (120.0, math.nan), (130.0, 3.0), (999.0, 9.0)))
    (found,) = on_grid([series], "{{a}}", SHOWN)
    assert found == Named("b", (1.0, None, None, 3.0, None, None))
    assert last_moment([found], SHOWN) == 130.0
    assert reduced(found.values, "lastNotNull") == 3.0
    assert reduced([None], "lastNotNull") is None


def test_names() -> None:
    """From the legend, or the labels; a name that comes again has a number."""
    series = Series({"__name__": "up", "job": "x"}, ())
    assert title(series, "{{ job }} of {{none}}") == "x of"
    assert title(series, "") == "job=x"
    assert title(Series({"__name__": "up"}, ()), "") == "up"
    assert [one.name for one in unique([Named("a", ()), Named("a", ()), Named("b", ())])] == [
        "a",
        "a (2)",
        "b",
    ]


def test_periods_end_at_gaps_and_the_last_may_be_open() -> None:
    """One scrape lost is no gap, three are; what is there at the end is not over."""
    series = Series({"alertname": "A"}, tuple((at, 1.0) for at in (100.0, 120.0, 150.0)))
    first, second = periods("Alerts", [series], SHOWN, colour="red", titled="{{alertname}}", text="")
    assert (first.start, first.end, first.open) == (100.0, 120.0, False)
    assert (second.start, second.end, second.open) == (150.0, 150.0, True)
    assert first.title == "A"


def test_the_slowest_exemplar_of_a_stretch_is_shown() -> None:
    """Of two close ones the higher; what is no trace id leads nowhere and is left out."""

    def one(at: float, value: float, trace: str = TRACE) -> Exemplar:
        return Exemplar({}, {"trace_id": trace}, value, at)

    found = samples([one(101, 0.1), one(102, 0.3), one(140, 0.2), one(141, 9.0, "<script>")], SHOWN)
    assert [(sample.at, sample.value) for sample in found] == [(102, 0.3), (140, 0.2)]
