"""The generated dashboards are read whole; what they use, the boards draw."""

import json
from pathlib import Path

import pytest

from console.boards.document import BoardError, Step, read_board, read_boards

ROOT = Path(__file__).resolve().parents[4]
DRAWN = {"timeseries", "stat", "gauge", "piechart", "table", "logs", "text"}
PANEL = {"id": 1, "type": "stat", "title": "t", "targets": []}


def written(folder: Path, **fields: object) -> Path:
    """A dashboard's file with these fields."""
    made = {"uid": "u", "title": "T", "panels": [], **fields}
    file = folder / "some" / "u.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(made))
    return file


def test_every_generated_dashboard_is_read_and_every_panel_is_drawn() -> None:
    """As many as there are files; nothing in them is of a type that is only named."""
    boards = read_boards(ROOT / "dashboards")
    assert len(boards) == len(list((ROOT / "dashboards").glob("*/*.json"))) >= 6
    unknown = [(one.uid, panel.title) for one in boards for panel in one.panels if panel.type not in DRAWN]
    assert unknown == []
    assert all(panel.targets for one in boards for panel in one.panels)


def test_what_fds_performance_says() -> None:
    """Limits, units, variable, annotations and time of one board."""
    board = read_board(ROOT / "dashboards/shopfds/fds-performance.json")
    latency = next(one for one in board.panels if one.title == "Latency P50, P95, P99")
    assert latency.steps == (Step(None, "green"), Step(0.1, "red"))
    assert latency.draws_limit
    assert latency.unit == "s"
    assert [target.exemplars for target in latency.targets] == [False, False, True]
    assert (board.span, board.refresh) == (1800.0, 10.0)
    assert [(one.name, one.metric, one.label) for one in board.variables] == [
        ("instance", "fds_evaluations_total", "instance")
    ]
    assert [one.name for one in board.annotations] == ["Alerts", "Faults"]


def test_columns_of_a_table_stand_in_their_order() -> None:
    """Filtered, ordered, with the hidden one known and links by column."""
    board = read_board(ROOT / "dashboards/platform/firedrill-start.json")
    table = next(one for one in board.panels if one.type == "table")
    assert table.columns[:3] == ("alertname", "severity", "system")
    assert table.hidden == ("slice",)
    assert set(table.cell_links) == {"alertname", "dashboard"}
    assert table.no_value == "Nothing fires"


def test_panels_in_rows_are_found(tmp_path: Path) -> None:
    """A collapsed row holds its panels."""
    row = {"id": 2, "type": "row", "title": "r", "panels": [{**PANEL, "type": "newfangled"}]}
    board = read_board(written(tmp_path, panels=[row, {**PANEL, "id": 3}]))
    assert [panel.type for panel in board.panels] == ["newfangled", "stat"]


@pytest.mark.parametrize("fields", [{"panels": [{"id": 1}]}, {"panels": "x"}, {"refresh": "often"}])
def test_what_is_no_dashboard_is_named(tmp_path: Path, fields: dict[str, object]) -> None:
    """The error says which file."""
    with pytest.raises(BoardError, match=r"u\.json"):
        read_board(written(tmp_path, **fields))
