"""The budgets' file: what it says, and what is refused in it by name."""

from pathlib import Path

import pytest

from firedrill.errors import TopologyError
from firedrill.report.budgets import FILE, read_budgets
from firedrill.report.model import Journey

GOOD = """
journeys:
  purchase: {service: shop, operation: POST /buy}
series:
  shop: {at_most: 100, reason: "three routes"}
  "*": {at_most: 1000, reason: "others"}
disk_per_day:
  loki: {at_most: 1.5 GB, reason: "a week of it fits a laptop"}
"""


def file_with(tmp_path: Path, text: str) -> Path:
    """A budgets' file that says `text`."""
    path = tmp_path / "budgets.yml"
    path.write_text(text, "utf-8")
    return path


def test_a_budget_has_a_limit_and_a_reason(tmp_path: Path) -> None:
    """Sizes may be written with their unit, in powers of ten."""
    found = read_budgets(file_with(tmp_path, GOOD))
    shop, disk = found.of("series", "shop"), found.of("disk_per_day", "loki")
    assert shop is not None
    assert disk is not None
    assert (shop.at_most, shop.reason) == (100.0, "three routes")
    assert disk.at_most == 1.5e9
    assert found.journeys == {"purchase": Journey("shop", "POST /buy")}


def test_the_first_subject_with_a_budget_counts_and_a_star_is_for_all_others(tmp_path: Path) -> None:
    """Without either there is none."""
    found = read_budgets(file_with(tmp_path, GOOD))
    other, own = found.of("series", "other"), found.of("series", "other", "shop")
    assert other is not None
    assert own is not None
    assert (other.at_most, own.at_most) == (1000.0, 100.0)
    assert found.of("disk_per_day", "tempo") is None
    assert found.of("log_streams", "loki") is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("series:\n", "serious:\n", "serious cannot be used"),
        ("at_most: 100,", "at_least: 100,", "series, shop cannot be used"),
        ('"three routes"', '" "', "its reason is empty"),
        ("1.5 GB", "a lot", "disk_per_day, loki cannot be used"),
        ("1.5 GB", "-3", "neither a number nor a size"),
        ("operation: POST /buy", "path: /buy", "journeys, purchase cannot be used"),
        ("series:\n  shop", "series: few\nlog_streams:\n  shop", "series cannot be used"),
        ("journeys:", "journeys: [", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Entry and cause."""
    with pytest.raises(TopologyError) as caught:
        read_budgets(file_with(tmp_path, GOOD.replace(old, new, 1)))
    assert words in str(caught.value)


def test_the_projects_own_budgets_can_be_read() -> None:
    """Every measure of it has a subject."""
    found = read_budgets(Path(__file__).parents[3] / FILE)
    assert found.journeys
    assert all(found.entries.values())
