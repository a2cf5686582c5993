"""What the report prints and writes, and how it names what is over its budget."""

import io
import json

from rich.console import Console

from firedrill.report.model import Budget, Figure, Report
from firedrill.report.show import amount, as_json, as_markdown, print_report

FEW = Figure("series", "fds", 50, Budget(10, "it has three routes"))
NONE = Figure("disk_per_day", "loki", None, Budget(1e9, "a laptop"), "not yet: 1.0 MB now")
MANY = [Figure("series_of_metric", f"m{number:02}", 5, Budget(9, "few")) for number in range(20)]
OVER = Figure("series_of_metric", "m99|x", 10, Budget(9, "few"), "[red]of fds")
REPORT = Report(0.0, 600.0, (FEW, NONE, *MANY, OVER), ("a remark",))
FINE = Report(0.0, 600.0, (NONE, *MANY))


def printed(report: Report) -> str:
    """What stands in the terminal."""
    text = io.StringIO()
    print_report(Console(file=text, width=200), report)
    return text.getvalue()


def test_what_is_exceeded_is_named_with_its_budget_and_reason() -> None:
    """Also where a hundred others are within theirs."""
    said = printed(REPORT)
    assert "OVER BUDGET  series of fds: 50, budget 10 (it has three routes)" in said
    assert "OVER BUDGET  series_of_metric of m99|x: 10, budget 9 (few); [red]of fds" in said
    assert "and 6 more, all within their budgets" in said
    assert "every figure is within its budget" not in said


def test_a_report_within_its_budgets_says_so() -> None:
    """A figure that is not there yet does not spoil it."""
    said = printed(FINE)
    assert "every figure is within its budget" in said
    assert "not yet: 1.0 MB now" in said
    assert "OVER" not in said


def test_the_markdown_has_the_same_tables() -> None:
    """A bar in a name does not end its cell."""
    text = as_markdown(REPORT)
    assert "| fds | 50 | 10 | 500% |  |" in text
    assert "| m99\\|x | 10 | 9 | 111% | [red]of fds |" in text
    assert "| loki | not yet | 1 GB |  | not yet: 1.0 MB now |" in text
    assert "- a remark" in text


def test_the_json_has_every_figure() -> None:
    """And the names of those over their budget."""
    found = json.loads(as_json(REPORT))
    assert found["within_budgets"] is False
    assert found["exceeded"] == ["series of fds", "series_of_metric of m99|x"]
    assert len(found["figures"]) == 23
    assert found["figures"][0]["budget"] == {"at_most": 10, "reason": "it has three routes"}


def test_amounts_are_readable() -> None:
    """Three digits, and bytes with their unit."""
    assert [amount(one, "B") for one in (12.0, 1234.0, 45_678_901.0, 2.5e9)] == [
        "12 B", "1.23 kB", "45.7 MB", "2.5 GB",
    ]  # fmt: skip
    assert [amount(one, "") for one in (None, 2.345, 12_345.6)] == ["", "2.35", "12,346"]
