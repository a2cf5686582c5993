"""What query, search and trace print, in a pipe and for text that means harm."""

import io
import json
import time

import httpx
import pytest
from rich.console import Console

from firedrill.ask.logs import render, show_search
from firedrill.ask.metrics import show_query, split_labels
from firedrill.ask.screen import screen
from firedrill.ask.text import clean, duration, number, seconds_of, sparkline
from firedrill.ask.waterfall import parse_id, rows_of, show_trace
from firedrill.clients import (
    BackendError,
    LogLine,
    Loki,
    Prometheus,
    Refused,
    Series,
    Span,
    Trace,
    Unreachable,
)
from firedrill.errors import UsageError

TRACE = "0af7651916cd43dd8448eb211c80319c"


def pipe() -> tuple[io.StringIO, Console]:
    """A console that is not a terminal, and what it wrote."""
    out = io.StringIO()
    return out, screen(out)


def prometheus(result: object, kind: str = "vector", status: int = 200) -> Prometheus:
    """Prometheus with one answer."""
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    if status != 200:
        body = {"status": "error", "error": str(result)}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return Prometheus("http://p", http=httpx.Client(transport=transport))


def loki(streams: list[object]) -> Loki:
    """Loki with these streams."""
    body = {"data": {"resultType": "streams", "result": streams}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    return Loki("http://l", http=httpx.Client(transport=transport))


class Store:
    """A trace backend that holds what it is given, or fails."""

    def __init__(self, name: str, *traces: Trace, error: BackendError | None = None) -> None:
        self.name, self._traces, self._error = name, {one.trace_id: one for one in traces}, error

    def trace(self, trace_id: str) -> Trace | None:
        """The held trace."""
        if self._error:
            raise self._error
        return self._traces.get(trace_id)


def span(identity: str, parent: str, name: str, *, start: int, length: int, error: bool = False) -> Span:
    """A span of service judgment; times in milliseconds."""
    return Span(
        TRACE, identity, parent, name, "judgment", start * 1_000_000, length * 1_000_000, error=error,
        attributes={"model": "gpt-4o"} if name == "judgment.llm_call" else {},
    )  # fmt: skip


WHOLE = Trace(
    TRACE,
    (
        span("a", "outside", "POST /api/v1/judgment/execute", start=0, length=100),
        span("b", "a", "judgment.execute", start=5, length=90),
        span("c", "b", "judgment.rule_execution", start=6, length=2),
        span("d", "b", "judgment.llm_call", start=40, length=50, error=True),
    ),
)


def test_labels_that_differ_become_columns() -> None:
    """What all series share is said once; the rest stands in columns."""
    result = [
        {"metric": {"__name__": "up", "job": "a", "system": "s"}, "value": [1700000000, "1"]},
        {"metric": {"__name__": "up", "job": "b", "system": "s"}, "value": [1700000000, "0.123456"]},
    ]
    out, console = pipe()
    assert show_query("up", prometheus(result), console) == 0
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[0] == ['up{system="s"}']
    assert lines[1] == ["job", "value", "time"]
    assert [line[:2] for line in lines[2:]] == [["a", "1"], ["b", "0.1235"]]


def test_label_that_one_series_lacks_is_a_column() -> None:
    """An absent label differs from a present one."""
    common, columns = split_labels([Series({"a": "1"}, ()), Series({"a": "1", "b": "2"}, ())])
    assert (common, columns) == ({"a": "1"}, ["b"])


def test_empty_answer_says_what_to_try() -> None:
    """No series is no error, but never a blank screen."""
    out, console = pipe()
    assert show_query("nothing", prometheus([]), console) == 0
    assert "No series" in out.getvalue()
    assert "try:" in out.getvalue()


def test_range_shows_the_course() -> None:
    """A range has the least, the most and a small drawing."""
    values = [[1700000000 + i, str(i)] for i in range(8)]
    out, console = pipe()
    assert show_query("x", prometheus([{"metric": {}, "values": values}], "matrix"), console, since="8s") == 0
    assert "▁▂▃▄▅▆▇█" in out.getvalue()


def test_bad_query_carries_the_backends_message() -> None:
    """The CLI prints the error with the backend's own words and exits 1."""
    _, console = pipe()
    with pytest.raises(Refused) as caught:
        show_query("sum(", prometheus("1:5: parse error", status=400), console)
    assert "parse error" in caught.value.why
    assert caught.value.exit_code == 1


def test_bad_range_is_a_usage_error() -> None:
    """A duration that is none ends with exit code 2 before anything is asked."""
    _, console = pipe()
    with pytest.raises(UsageError):
        show_query("up", prometheus([]), console, since="soon")


def line(**fields: object) -> LogLine:
    """A JSON line of judgment."""
    return LogLine(1_700_000_000_000_000_000, json.dumps(fields), {"service": "judgment"}, {})


def test_log_line_shows_time_level_service_message_and_fields() -> None:
    """Keys that every line has come first, ids last, the time once."""
    text = render(
        line(timestamp="t", level="INFO", service="judgment", message="Done", trace_id=TRACE, status=200)
    ).plain
    assert text.endswith(f"INFO     judgment  Done status=200 trace_id={TRACE}")
    assert "timestamp" not in text


def test_hostile_log_text_is_shown_and_not_obeyed() -> None:
    """Markup stays text; escape sequences, bells and text direction marks are gone."""
    hostile = "[bold red]x[/bold red] \x1b[2J\x07\u202e[link=http://evil]y[/link]\r\nnext"
    out, console = pipe()
    stream = {"stream": {"service": "fds"}, "values": [["1", json.dumps({"message": hostile, "k": hostile})]]}
    assert show_search("{}", loki([stream]), console, since="5m", limit=10) == 0
    text = out.getvalue()
    assert "[bold red]x[/bold red]" in text
    assert "[link=http://evil]y[/link]" in text
    assert not any(sign in text for sign in "\x1b\x07\u202e\r")
    assert text.count("\n") == 1


def test_line_that_is_not_json_is_shown_as_it_is() -> None:
    """A traceback of a dying process is still readable."""
    assert "Traceback (most recent" in render(LogLine(0, "Traceback (most recent", {}, {})).plain


def test_pipe_gets_whole_lines_without_colour() -> None:
    """A value of 5,000 signs arrives whole, on one line."""
    out, console = pipe()
    long = "x" * 5000
    stream = {"stream": {}, "values": [["1", json.dumps({"message": long, "level": "ERROR"})]]}
    show_search("{}", loki([stream]), console, since="5m", limit=10)
    assert long in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_no_lines_says_what_to_try() -> None:
    """Nothing found is exit 0 with a hint."""
    out, console = pipe()
    assert show_search("{}", loki([]), console, since="5m", limit=10) == 0
    assert "No lines in the last 5m" in out.getvalue()


def test_waterfall_nests_spans_under_their_parents() -> None:
    """Children come by start time; a parent outside the trace does not hide its child."""
    assert [(row.span.span_id, row.depth) for row in rows_of(WHOLE)] == [
        ("a", 0),
        ("b", 1),
        ("c", 2),
        ("d", 2),
    ]


def test_spans_in_a_circle_are_all_shown() -> None:
    """Broken data ends the drawing neither early nor never."""
    circle = Trace(TRACE, (span("a", "b", "x", start=0, length=1), span("b", "a", "y", start=0, length=1)))
    assert {row.span.span_id for row in rows_of(circle)} == {"a", "b"}


def test_waterfall_shows_total_errors_and_attributes() -> None:
    """The head has the total; the failed span is marked and its attributes stand beside it."""
    out, console = pipe()
    assert show_trace(TRACE, [Store("Jaeger", WHOLE)], console) == 0
    head, *lines = out.getvalue().splitlines()
    assert "100.0 ms" in head
    assert "4 spans, 1 with errors, from Jaeger" in head
    call = next(one for one in lines if "judgment.llm_call" in one)
    assert "✗" in call
    assert "50.0 ms" in call
    assert "model=gpt-4o" in call


def test_second_backend_is_asked() -> None:
    """What Jaeger has not, or cannot say, Tempo may have."""
    out, console = pipe()
    broken = Store("Jaeger", error=Unreachable("Jaeger does not answer"))
    assert show_trace(TRACE, [broken, Store("Tempo", WHOLE)], console) == 0
    assert "from Tempo" in out.getvalue()


def test_unknown_trace_is_exit_1() -> None:
    """Not found names who was asked."""
    out, console = pipe()
    assert show_trace(TRACE, [Store("Jaeger"), Store("Tempo")], console) == 1
    assert f"Jaeger and Tempo: no trace {TRACE}" in out.getvalue()


def test_no_backend_answering_is_an_error() -> None:
    """With nobody to ask the backend's error is what the user sees."""
    _, console = pipe()
    with pytest.raises(Unreachable):
        show_trace(TRACE, [Store("Jaeger", error=Unreachable("Jaeger does not answer"))], console)


@pytest.mark.parametrize("text", ["", "xyz", TRACE[:-1], TRACE + "0", "0af7651916cd43dd8448eb211c80319g"])
def test_bad_trace_id_is_a_usage_error(text: str) -> None:
    """Only 16 or 32 hex digits name a trace."""
    with pytest.raises(UsageError):
        parse_id(text)


def test_trace_id_in_capitals_is_accepted() -> None:
    """Copied from elsewhere, it is the same id."""
    assert parse_id(f" {TRACE.upper()}\n") == TRACE


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234567.0, "1234567"), (0.123456, "0.1235"), (12.3456, "12.35"), (1e-7, "1e-07"),
     (float("nan"), "NaN"), (float("-inf"), "-Inf"), (1234.5678, "1235")],
)  # fmt: skip
def test_numbers_are_readable(value: float, text: str) -> None:
    """Four digits that mean something, whole numbers whole."""
    assert number(value) == text


def test_durations_are_read_and_written() -> None:
    """As Prometheus writes them."""
    assert seconds_of("1h30m") == 5400
    assert seconds_of("1s500ms") == 1.5
    assert [duration(one) for one in (800, 1_500_000, 2_340_000_000)] == ["1 us", "1.5 ms", "2.34 s"]


def test_sparkline_of_level_values_and_gaps() -> None:
    """A constant is a flat line; NaN leaves a gap."""
    assert sparkline([5.0, 5.0, float("nan")]) == "▁▁ "
    assert sparkline([]) == ""


def test_clean_keeps_letters_of_all_languages() -> None:
    """Only what steers the terminal is taken away."""
    assert clean("größe 価格\tx\x9b31m") == "größe 価格 x31m"


def test_times_are_this_machines() -> None:
    """A log line's time is shown on the reader's clock."""
    now = time.time()
    stamp = time.strftime("%H:%M:%S", time.localtime(now))
    assert render(LogLine(int(now * 1e9), "x", {}, {})).plain.startswith(stamp)
