"""Log lines as rows, and the live tail."""

import json

from console.logs.rows import row_of, rows_of
from console.logs.tail import OVERLAP_SECONDS, Tail
from firedrill.clients import LogLine

SECOND = 1_000_000_000


def line(
    at: float, message: str = "Done", *, level: str = "INFO", service: str = "fds", **more: str
) -> LogLine:
    """A line as our services write it, at so many seconds."""
    text = json.dumps({"level": level, "service": service, "message": message, **more})
    return LogLine(int(at * SECOND), text, {"service": service, "level": level}, {"trace_id": "ab" * 16})


def test_a_row_has_its_columns_and_the_rest_as_fields() -> None:
    """Level, service and message are columns; what the line says itself stands before its ids."""
    row = row_of(line(5, "Paid", order_id="7", request_id="r1"))
    assert (row.at, row.level, row.service, row.message, row.trace_id) == (
        5.0,
        "INFO",
        "fds",
        "Paid",
        "ab" * 16,
    )
    assert row.fields == (("order_id", "7"), ("request_id", "r1"), ("trace_id", "ab" * 16))


def test_a_line_that_is_not_json_is_its_own_message() -> None:
    """Backends write plain text; it is shown as it is, with its labels."""
    row = row_of(LogLine(SECOND, "<script>alert(1)</script> GET /x", {"service": "web"}, {}))
    assert (row.message, row.service, row.level) == ("<script>alert(1)</script> GET /x", "web", "")


def test_rows_are_newest_first_and_each_once() -> None:
    """A line that two answers hold is one row; two lines of one moment are two."""
    rows = rows_of([line(1, "a"), line(2, "b"), line(1, "a"), line(2, "c")])
    assert [row.message for row in rows][-1] == "a"
    assert sorted(row.message for row in rows) == ["a", "b", "c"]


def test_the_tail_gives_only_what_is_new() -> None:
    """Asked again with an overlap, lines that were there are not new; late ones find their place."""
    tail = Tail()
    assert [row.message for row in tail.take([line(10, "a"), line(12, "c")])] == ["c", "a"]
    assert [row.message for row in tail.take([line(12, "c"), line(11, "late"), line(13, "d")])] == [
        "d",
        "late",
    ]
    assert [row.message for row in tail.rows] == ["d", "c", "late", "a"]
    assert tail.take([line(13, "d")]) == []


def test_the_tail_asks_from_a_little_before_its_newest_line() -> None:
    """What arrives late is not lost; without any line it begins now."""
    tail = Tail()
    assert tail.since(100.0) == 100.0 - OVERLAP_SECONDS
    tail.take([line(50, "a")])
    assert tail.since(100.0) == 50.0 - OVERLAP_SECONDS


def test_the_tail_forgets_the_oldest() -> None:
    """A page that follows for hours stays as large as it is."""
    tail = Tail(kept=3)
    tail.take([line(at, str(at)) for at in range(10)])
    assert [row.message for row in tail.rows] == ["9", "8", "7"]
