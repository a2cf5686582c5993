"""The search for traces: its address, what it asks of Jaeger, and the rows that come back."""

import pytest
from starlette.datastructures import QueryParams

from console.traces.search import Search, listed, of_runbook, read_tags
from firedrill.clients import Span, Trace
from firedrill.errors import UsageError

NOW = 1_700_000_000.0


def test_an_address_brings_back_its_form() -> None:
    """What stands in the address is what was searched, whatever characters are in it."""
    search = Search(
        service="fds", operation="GET /a b&c", shortest="100ms", errors=True, tags='a="x y"', limit=50
    )
    assert Search.of(QueryParams(search.query())) == search
    assert Search().query() == {}


def test_nonsense_in_an_address_is_left_out() -> None:
    """A page opens with whatever address is given."""
    found = Search.of(QueryParams("since=soon&limit=-5&until=now&errors=perhaps&other=1"))
    assert found == Search()


def test_durations_attributes_and_errors_are_asked_for() -> None:
    """The form's words become what the backend is asked, times relative to now."""
    search = Search(
        service="fds", shortest="100ms", longest="2s", tags="http.route=/x", errors=True, since="1h"
    )
    wanted = search.wanted(NOW)
    assert (wanted.start, wanted.end) == (NOW - 3600, NOW)
    assert (wanted.at_least, wanted.at_most) == (pytest.approx(0.1), 2.0)
    assert wanted.tags == {"http.route": "/x", "error": "true"}


@pytest.mark.parametrize("text", ["soon", "-1s", "10", "1h30"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    """The message says how one is written."""
    with pytest.raises(UsageError, match="not a duration"):
        Search(service="fds", shortest=text).wanted(NOW)


def test_attributes_may_hold_spaces_in_quotes() -> None:
    """Several attributes stand side by side; without a = there is none."""
    assert read_tags('a=1 b.c="two words" ') == {"a": "1", "b.c": "two words"}
    with pytest.raises(UsageError, match="no attribute"):
        read_tags("a=1 nonsense")


def test_a_runbooks_search_becomes_a_form() -> None:
    """The block of a runbook leads to the page with the same search."""
    found = of_runbook(
        'service=fds operation="fds.evaluate" minDuration=100ms tags={"error":"true","tier":"gold"}'
    )
    assert found == Search(
        service="fds", operation="fds.evaluate", shortest="100ms", errors=True, tags='tier="gold"'
    )


def test_rows_name_the_root_and_the_longest_has_the_whole_bar() -> None:
    """A row says who was called first, how long all took, and how many spans failed; newest first."""

    def one(trace_id: str, start: int, lasts: int) -> Trace:
        child = Span(trace_id, "b", "a", "ask", "ml", start + 1, 1, error=True)
        return Trace(trace_id, (child, Span(trace_id, "a", "gone", "POST /", "fds", start, lasts)))

    rows = listed((one("old", 10, 100), one("new", 20, 200)))
    assert [(row.trace_id, row.service, row.name, row.errors, row.share) for row in rows] == [
        ("new", "fds", "POST /", 1, 100.0), ("old", "fds", "POST /", 1, 50.0),
    ]  # fmt: skip
