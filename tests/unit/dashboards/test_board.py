"""A board becomes the JSON that Grafana provisions, with its limits from the rules."""

import json
from typing import Any

import pytest

from firedrill.dashboards.board import Board, Variable, logs_link, text
from firedrill.dashboards.limits import Limit, alert_limit, objective_limit, watched
from firedrill.dashboards.parts import Query
from firedrill.dashboards.reader import label_queries, links, queries
from firedrill.dashboards.theme import Tile, gauge, graph, link, logs, stat, table
from firedrill.errors import TopologyError

TO_X = link("X", "/d/x", keep_time=True)


def figure(width: int, limit: Limit | None = None) -> Tile:
    """A key figure."""
    return stat("Figure", "What it says.", [Query("up", "up")], unit="short", width=width, limit=limit)


def made(*rows: list[Tile], variables: tuple[Variable, ...] = ()) -> dict[str, Any]:
    """The JSON of a board with these rows."""
    board = Board(
        uid="x",
        title="X",
        folder="platform",
        description="",
        system="shopfds",
        rows=rows,
        variables=variables,
        links=[logs_link('{service="x"}')],
    )
    assert board.path == "dashboards/platform/x.json"
    read: dict[str, Any] = json.loads(text(board))
    return read


def steps(tile: Tile) -> list[tuple[float | None, str]]:
    """Where the colours of a panel change."""
    (panel,) = made([tile])["panels"]
    return [(one["value"], one["color"]) for one in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_the_same_board_is_the_same_text() -> None:
    """Built twice from the beginning."""
    assert made([figure(12), figure(12)]) == made([figure(12), figure(12)])


def test_tiles_stand_in_rows() -> None:
    """Side by side from the left, each row below the highest of the one above."""
    course = graph("Course", "What it says.", [Query("up")], unit="short", width=24)
    places = [panel["gridPos"] for panel in made([figure(12), figure(12)], [course])["panels"]]
    assert [(one["x"], one["y"], one["w"], one["h"]) for one in places] == [
        (0, 0, 12, 5),
        (12, 0, 12, 5),
        (0, 5, 24, 9),
    ]


def test_a_row_that_does_not_fill_the_page_is_refused() -> None:
    """Too wide would overlap, too narrow leaves a hole."""
    for width in (11, 13):
        with pytest.raises(ValueError, match="24 columns"):
            made([figure(12), figure(width)])


def test_more_than_ten_panels_are_refused() -> None:
    """Nobody takes in more."""
    with pytest.raises(ValueError, match="11 panels"):
        made(*([figure(24)] for _ in range(11)))


def test_a_limit_is_drawn_where_it_begins() -> None:
    """Red above, red below, and a target beyond."""
    assert steps(figure(24)) == [(None, "green")]
    assert steps(figure(24, Limit(0.1))) == [(None, "green"), (0.1, "red")]
    assert steps(figure(24, Limit(0.3, "below"))) == [(None, "red"), (0.3, "green")]
    assert steps(figure(24, Limit(0.8, "below", 0.9))) == [(None, "red"), (0.8, "orange"), (0.9, "green")]


def test_a_target_of_zero_is_a_target() -> None:
    """An error budget of 0 is the limit itself."""
    assert steps(figure(24, Limit(0, "below", 0.25))) == [(None, "red"), (0, "orange"), (0.25, "green")]
    assert steps(figure(24, Limit(-1, "below", 0))) == [(None, "red"), (-1, "orange"), (0, "green")]


def test_what_means_good_or_bad_has_its_colour() -> None:
    """The same name in the same colour in every graph."""
    tile = graph("Course", "d", [Query("up", "5xx")], unit="short", width=24, meaning=["5xx"])
    (override,) = made([tile])["panels"][0]["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byName", "options": "5xx"}
    assert override["properties"] == [{"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}]


def test_limits_come_from_the_rules() -> None:
    """The number beside the comparison, and the edge of an objective."""
    assert alert_limit("JudgmentHighLatency", "ai-factory") == Limit(2.5)
    assert alert_limit("FDSPrecisionDrop", "shopfds", better=0.9) == Limit(0.8, "below", 0.9)
    assert alert_limit("FDSSLAViolation", "shopfds", counted=True) == Limit(101)
    assert objective_limit("api-latency") == Limit(0.2)
    assert watched("FDSSLAViolation", "shopfds") == "sum(increase(fds_sla_violations_total[5m]))"


def test_a_limit_of_no_rule_is_refused() -> None:
    """A renamed alert must not leave a panel without its limit."""
    with pytest.raises(TopologyError, match="NoSuchAlert"):
        alert_limit("NoSuchAlert", "shopfds")
    with pytest.raises(TopologyError, match="no alert FDSSLAViolation"):
        watched("FDSSLAViolation", "aegis")
    with pytest.raises(TopologyError, match="compares with no number"):
        alert_limit("Watchdog", "platform")
    with pytest.raises(TopologyError, match="error-rate"):
        objective_limit("error-rate")


def test_everything_asked_is_read_back() -> None:
    """Panels, annotations and variables, each with its datasource; tables with their columns."""
    board = made(
        [
            gauge("G", "d", [Query("up", "{{job}}")], unit="s", width=12, limit=Limit(1), most=2),
            logs("L", "d", '{service=~"$service"}', width=12),
        ],
        [table("T", "d", Query("up"), width=24, columns=["job"], cell_links=[("job", TO_X)], none="-")],
        variables=(Variable("tenant", "tenant_id", "up", "T"), Variable("service", "service", None, "S")),
    )
    found = {one.place: one for one in queries(board)}
    assert found["x: G"].legend == "{{job}}"
    assert found["x: L"].datasource == "loki"
    assert found["x: T"].columns == ("job",)
    assert found["x: T"].instant
    assert 'system="shopfds"' in found["x: annotation Alerts"].expr
    assert found["x: variable tenant"].expr == "group by (tenant_id) (up)"
    assert list(label_queries(board)) == [("tenant", "up", "tenant_id")]
    assert ("x: T", "/d/x") in links(board)


def test_links_keep_what_grafana_fills_in() -> None:
    """The time shown is not quoted, all else is."""
    urls = [url for _, url in links(made([figure(24)]))]
    assert len(urls) == 1
    assert "${__from}" in urls[0]
    assert "%7Bservice%3D%5C%22x%5C%22%7D" in urls[0]
