"""What is drawn of a panel's data: options of charts, figures, gauges, links."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from console.boards.answers import Data
from console.boards.asking import Window
from console.boards.charts import LIMIT, MARKS, TRACES, graph, pie
from console.boards.document import Panel, read_board
from console.boards.figures import figures, gauge
from console.boards.links import filled, here
from console.boards.series import Named, Period, Sample
from console.boards.shapes import course

ROOT = Path(__file__).resolve().parents[4]
SHOWN = Window(100.0, 130.0, 10.0, 20.0)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def panel(title: str) -> Panel:
    """A panel of FDS Performance."""
    board = read_board(ROOT / "dashboards/shopfds/fds-performance.json")
    return next(one for one in board.panels if one.title == title)


def data(*values: float | None, name: str = "P95") -> Data:
    """One series."""
    return Data(SHOWN, series=(Named(name, tuple(values)),))


def test_graph_draws_lines_limit_marks_and_traces() -> None:
    """In milliseconds since 1970; a gap is null; the exemplar carries its trace."""
    shown = replace(data(0.05, None, 0.2, 0.1), samples=(Sample(111.0, 0.3, TRACE),))
    mark = Period("Alerts", "A", "", "red", 110.0, 110.0, False)
    options = graph(panel("Latency P50, P95, P99"), shown, [mark])
    series = {one["name"]: one for one in options["series"]}
    assert series["P95"]["data"] == [[100_000, 0.05], [110_000, None], [120_000, 0.2], [130_000, 0.1]]
    assert [point[1] for point in series[LIMIT]["data"]] == [0.1, 0.1]
    assert series[TRACES]["data"][0]["trace"] == TRACE
    begin, end = series[MARKS]["markArea"]["data"][0]
    assert (begin["xAxis"], end["xAxis"]) == (110_000, 120_000)
    assert json.loads(json.dumps(options, allow_nan=False)) == options


def test_marks_that_overlap_do_not_add_up() -> None:
    """Three alerts at once are no darker than one; another colour stays apart."""
    spans = [("red", 100.0, 120.0), ("red", 110.0, 125.0), ("orange", 100.0, 130.0), ("red", 128.0, 130.0)]
    marks = [Period("Alerts", "A", "", colour, start, end, False) for colour, start, end in spans]
    options = graph(panel("Latency P50, P95, P99"), data(0.1, 0.1, 0.1, 0.1), marks)
    areas = next(one for one in options["series"] if one["name"] == MARKS)["markArea"]["data"]
    assert [(begin["xAxis"], end["xAxis"]) for begin, end in areas] == [
        (100_000, 125_000),
        (128_000, 138_000),
        (100_000, 130_000),
    ]


def test_a_limit_far_away_does_not_flatten_the_lines() -> None:
    """A hundredth of the limit: the line is left out, and the panel says it in words."""
    options = graph(panel("Latency P50, P95, P99"), data(*[0.001] * 4), [])
    assert [one["name"] for one in options["series"]] == ["P95"]


def test_pie_leaves_out_what_has_no_value() -> None:
    """Colours of meaning, last values."""
    shown = Data(SHOWN, series=(Named("low", (1.0, 3.0)), Named("blocked", (None, None))))
    options = pie(panel("Risk level distribution"), shown)
    (share,) = options["series"][0]["data"]
    assert (share["name"], share["value"]) == ("low", 3.0)


@pytest.mark.parametrize(("value", "red"), [(100.0, False), (101.0, True)])
def test_a_figure_is_red_from_its_limit_on(value: float, red: bool) -> None:
    """More than a hundred violations fire the alert."""
    (found,) = figures(panel("SLA violations"), data(0.0, value))
    assert found.text == f"{value:.0f}"
    assert (found.colour == "#d64541") is red


def test_gauge() -> None:
    """Value, ends and one tick for its limit."""
    found = gauge(panel("Evaluation time P95"), data(0.05, 0.15))
    assert (found.text, found.least, found.most, len(found.ticks)) == ("150 ms", "0 s", "200 ms", 1)
    assert gauge(panel("Evaluation time P95"), Data(SHOWN)).text == "\u2013"


def test_course_has_a_part_for_each_run() -> None:
    """A gap parts the line; one value is no line."""
    assert course([1.0, 2.0, None, 3.0, 4.0], closed=False).count("M") == 2
    assert course([1.0], closed=False) == ""
    assert course([None, None], closed=True) == ""


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8090/runbooks/fds/FDSSLAViolation", "/runbooks/fds/FDSSLAViolation"),
        ("http://127.0.0.1:8782/runbooks/fds/FDSSLAViolation", "/runbooks/fds/FDSSLAViolation"),
        ("http://127.0.0.1:8090/", "/inbox"),
        ("/d/fds-performance", "/boards/fds-performance"),
        ("http://127.0.0.1:3002/d/fds-performance?from=1", "/boards/fds-performance"),
        ("https://example.org/runbooks/a/b", "https://example.org/runbooks/a/b"),
    ],
)
def test_links_lead_to_pages_of_the_console(url: str, address: str) -> None:
    """What Grafana and the inbox would show, is here too."""
    assert here(url) == address


def test_links_into_explore_are_searches_here() -> None:
    """Every link of every board leads somewhere in the console."""
    found = {
        (board, link.title): here(link.url)
        for board in ("shopfds/fds-performance", "ai-factory/workflow-status")
        for link in read_board(ROOT / f"dashboards/{board}.json").links
    }
    assert found["shopfds/fds-performance", "Logs"] == "/logs?service=fds"
    assert found["shopfds/fds-performance", "Traces"] == "/traces?service=fds"
    assert found["ai-factory/workflow-status", "Traces"] == "/traces?service=workflow"


def test_fields_of_a_row_are_one_part_of_a_path_each() -> None:
    """A label with a slash leads nowhere else."""
    url = "http://127.0.0.1:8090/runbooks/${__data.fields.slice}/${__value.text}"
    assert filled(url, {"slice": "fds"}, "A/../B?x") == "/runbooks/fds/A%2F..%2FB%3Fx"
