"""A trace as bars: nesting, places on the axis, own time, and what is said of each span."""

from console.traces.waterfall import MOST_BARS, own_time, waterfall
from firedrill.clients import Span, Trace

MS = 1_000_000
START = 1_700_000_000_000 * MS


def span(
    span_id: str,
    parent: str = "",
    *,
    begins: float = 0,
    lasts: float = 10,
    service: str = "fds",
    error: bool = False,
    attributes: dict[str, str] | None = None,
) -> Span:
    """A span that begins and lasts so many milliseconds."""
    return Span(
        "t", span_id, parent, f"work {span_id}", service, START + int(begins * MS), int(lasts * MS),
        "server", error, attributes or {},
    )  # fmt: skip


def test_children_stand_below_their_parents_in_the_order_of_their_begin() -> None:
    """Depth and order follow the spans' parents, not the order in which they came."""
    trace = Trace(
        "t",
        (span("a", lasts=20), span("b", "a", begins=1), span("c", "a", begins=5), span("d", "b", begins=7)),
    )
    drawn = waterfall(trace)
    assert [(bar.id, bar.depth, bar.children) for bar in drawn.bars] == [
        ("a", 0, 2), ("b", 1, 1), ("d", 2, 0), ("c", 1, 0),
    ]  # fmt: skip


def test_bars_stand_where_they_were_in_time() -> None:
    """Left and width are percent of the whole trace; the axis has its ticks."""
    drawn = waterfall(Trace("t", (span("a", lasts=200), span("b", "a", begins=50, lasts=100))))
    assert (drawn.bars[1].left, drawn.bars[1].width) == (25.0, 50.0)
    assert drawn.bars[1].starts == "50.0 ms"
    assert drawn.lasts == "200.0 ms"
    assert drawn.ticks == (
        (0.0, "0 us"), (25.0, "50.0 ms"), (50.0, "100.0 ms"), (75.0, "150.0 ms"), (100.0, "200.0 ms"),
    )  # fmt: skip


def test_a_span_of_nothing_stays_visible_inside_the_axis() -> None:
    """However short and however late a span is, its bar can be seen and ends at the axis's end."""
    drawn = waterfall(Trace("t", (span("a", lasts=10_000), span("b", "a", begins=10_000, lasts=0))))
    assert drawn.bars[1].width > 0
    assert drawn.bars[1].left + drawn.bars[1].width <= 100


def test_own_time_leaves_out_what_children_cover() -> None:
    """Children that overlap count once, and what runs on after the parent does not count."""
    parent = span("a", lasts=100)
    children = [
        span("b", "a", begins=10, lasts=30),
        span("c", "a", begins=20, lasts=40),
        span("d", begins=90, lasts=50),
    ]
    assert own_time(parent, children) == 40 * MS
    assert own_time(parent, []) == 100 * MS


def test_a_bar_says_its_error_and_its_attributes() -> None:
    """The status's words are the message; what the bar shows itself is not repeated among the attributes."""
    said = {
        "otel.status_description": "no answer",
        "error": "true",
        "http.route": "/v1/orders",
        "db.rows": "3",
    }
    drawn = waterfall(Trace("t", (span("a", error=True, attributes=said),)))
    assert drawn.errors == 1
    assert drawn.bars[0].message == "no answer"
    assert drawn.bars[0].attributes == (("db.rows", "3"), ("http.route", "/v1/orders"))


def test_services_are_counted_in_the_order_of_their_appearance() -> None:
    """The legend begins with the caller; a service keeps one colour."""
    trace = Trace(
        "t", (span("a", service="shop"), span("b", "a", error=True), span("c", "b", service="shop"))
    )
    drawn = waterfall(trace)
    assert [(one.name, one.colour, one.spans, one.errors) for one in drawn.services] == [
        ("shop", 0, 2, 0), ("fds", 1, 1, 1),
    ]  # fmt: skip
    assert [bar.colour for bar in drawn.bars] == [0, 1, 0]


def test_a_huge_trace_says_what_is_left_out() -> None:
    """No page draws more bars than a browser can bear; the rest is counted."""
    drawn = waterfall(Trace("t", tuple(span(f"{number}") for number in range(MOST_BARS + 7))))
    assert (len(drawn.bars), drawn.left_out, drawn.spans) == (MOST_BARS, 7, MOST_BARS + 7)
