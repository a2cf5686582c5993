"""Logs and spans by request and by day; too little of either is not yet a figure."""

from firedrill.clients import Span, Trace
from firedrill.report.flow import Flow, journey_spans, log_figures, request_spans, span_figures
from firedrill.report.model import Budget, Budgets

BUDGETS = Budgets(
    {
        "log_lines_per_request": {"fds": Budget(1.5, "two lines are one too many")},
        "log_bytes_per_day": {"all": Budget(1e6, "small")},
        "spans_per_journey": {"purchase": Budget(3, "short")},
    },
    {},
)
FLOW = Flow(
    seconds=600.0,
    requests={"fds": 100.0, "ml": 5.0},
    lines={"fds": 200.0, "ml": 5.0},
    line_bytes={"fds": 60_000.0, "ml": 2_000.0},
    spans=1050.0,
    span_bytes={"tempo": (210_000.0, 1000.0)},
)


def span(service: str, kind: str = "", name: str = "x") -> Span:
    """A span of a service."""
    return Span("t", "s", "", name, service, 0, 1, kind)


def test_lines_and_bytes_are_divided_by_requests_and_by_time() -> None:
    """A day has 144 times ten minutes."""
    found = {(one.measure, one.subject): one for one in log_figures(FLOW, BUDGETS)}
    lines = found["log_lines_per_request", "fds"]
    assert (lines.value, lines.exceeded) == (2.0, True)
    assert found["log_bytes_per_request", "fds"].value == 600.0
    assert found["log_bytes_per_day", "fds"].value == 60_000 * 144
    assert found["log_bytes_per_day", "all"].value == 62_000 * 144
    assert found["log_bytes_per_day", "all"].exceeded


def test_few_requests_say_nothing_of_a_request() -> None:
    """It is said how many there were; it is not within the budget and not over it."""
    found = {(one.measure, one.subject): one for one in log_figures(FLOW, BUDGETS)}
    few = found["log_lines_per_request", "ml"]
    assert (few.value, few.exceeded, few.used) == (None, False, None)
    assert few.note == "not yet: 5 requests, 20 are needed"


def test_spans_of_a_service_are_divided_by_the_requests_that_it_answered() -> None:
    """A service that was seen too seldom has no figure yet."""
    traces = [Trace("t", (span("fds", "server"), span("fds"), span("fds"), span("ml", "server")))] * 20
    found = {one.subject: one for one in request_spans(traces[:20], ["fds", "ml", "admin"], BUDGETS)}
    assert (found["fds"].value, found["ml"].value, found["admin"].value) == (3.0, 1.0, None)
    assert found["admin"].note.startswith("not yet: 0 requests")


def test_a_journey_is_the_mean_of_its_whole_traces() -> None:
    """With the range, and the services that took part."""
    traces = [Trace("t", (span("shop"),) * count) for count in (2, 4, 4, 4, 4)]
    found = journey_spans("purchase", traces, BUDGETS)
    assert (found.value, found.exceeded) == (3.6, True)
    assert found.note == "5 traces, 2 to 4 spans; shop"
    assert journey_spans("purchase", traces[:4], BUDGETS).value is None


def test_bytes_of_a_span_are_those_of_the_backend_that_weighs_them() -> None:
    """And spans per request are what the Collector took."""
    found = {(one.measure, one.subject): one.value for one in span_figures(FLOW, BUDGETS)}
    assert found == {
        ("spans_per_request", "all"): 10.0,
        ("bytes_per_span", "tempo"): 210.0,
        ("span_bytes_per_day", "tempo"): 210_000 * 144,
    }
