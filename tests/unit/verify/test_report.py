"""The summary has a row for each dashboard, and the JSON has the same."""

import io
import json

from rich.console import Console

from firedrill.verify.asked import Row
from firedrill.verify.report import document, summary

ROWS = (
    Row("platform/firedrill-start", 9, 8, excused=(("Firing now", "drill fds/FDSSLAViolation"),)),
    Row("docs/queries.md fds", 3, 1, wrong=("line 5: no data",), not_asked=1),
)


def test_each_dashboard_has_a_row() -> None:
    """Asked, with data, and what is empty until when or not asked; what is wrong stands out."""
    out = io.StringIO()
    summary(Console(file=out, width=120), [], [], ROWS, seconds=1.0)
    heading, first, second = out.getvalue().splitlines()[1:4]
    assert heading.split() == ["dashboard,", "examples", "asked", "with", "data", "empty"]
    assert first == "platform/firedrill-start      9          8  Firing now until drill fds/FDSSLAViolation"
    assert second.split(maxsplit=4)[2:4] == ["3", "1"]
    assert second.endswith("WRONG line 5: no data; 1 not asked: the backend does not run")


def test_the_document_holds_the_rows() -> None:
    """For a program that reads it."""
    found = json.loads(document([], [], ROWS, seconds=1.0))["dashboards"]
    assert found[0]["excused"] == [["Firing now", "drill fds/FDSSLAViolation"]]
    assert (found[1]["asked"], found[1]["with_data"], found[1]["not_asked"]) == (3, 1, 1)


def test_without_dashboards_there_is_no_table() -> None:
    """A project without any has nothing to tell."""
    out = io.StringIO()
    summary(Console(file=out, width=120), [], [], seconds=1.0)
    assert "dashboard" not in out.getvalue()
