"""The report on the real stack under background traffic: every budget is kept, and one too small is named."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.report.budgets import FILE
from firedrill.report.run import LOOKS

ROOT = Path(__file__).resolve().parents[2]
VOLUME = ROOT / "reports" / "volume"
SECONDS = 180  # the quietest of the core, workflow, answers twice as many requests in them as are needed


@pytest.fixture(scope="module")
def report(stack: Any) -> Any:
    """What `firedrill report` says after it has watched: the drills before it do not count."""
    done = stack.command("report", "--seconds", str(SECONDS), seconds=SECONDS + 120)
    return done, json.loads((VOLUME / "report.json").read_text("utf-8"))


def figures(document: Any, measure: str) -> dict[str, Any]:
    """The figures of one measure by subject."""
    return {one["subject"]: one for one in document["figures"] if one["measure"] == measure}


def test_every_budget_is_kept(report: Any) -> None:
    """Otherwise the build fails here, with the name of what has grown."""
    done, document = report
    assert document["exceeded"] == []
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("measure", ["series", "log_lines_per_request", "spans_per_request"])
@pytest.mark.parametrize("service", ["judgment", "workflow", "fds", "ecommerce"])
def test_every_core_service_has_its_figures(report: Any, service: str, measure: str) -> None:
    """With a value and a budget. Not ml: fds does without it while it is slow."""
    found = figures(report[1], measure)[service]
    assert found["value"] is not None, found["note"]
    assert found["value"] > 0
    assert found["budget"]["reason"]


def test_an_order_is_counted_over_all_services(report: Any) -> None:
    """The shop and fds at the least."""
    found = figures(report[1], "spans_per_journey")["purchase"]
    assert found["value"] is not None, found["note"]
    assert "ecommerce, fds" in found["note"]


def test_the_disk_of_every_store_was_measured(report: Any) -> None:
    """Over the time that was watched, and kept for the next report."""
    found = figures(report[1], "disk_per_day")
    assert {"prometheus", "loki", "jaeger", "tempo", "postgres"} <= set(found)
    assert all(one["value"] is not None for one in found.values())
    assert (VOLUME / LOOKS).is_file()


def test_a_budget_too_small_is_named(stack: Any, report: Any, tmp_path: Path) -> None:
    """Exit code 1, figure, budget and reason; what is within its budget is not named."""
    budgets = yaml.safe_load((ROOT / FILE).read_text("utf-8"))
    budgets["series"]["fds"] = {"at_most": 7, "reason": "too small on purpose"}
    file = tmp_path / "budgets.yml"
    file.write_text(yaml.safe_dump(budgets), "utf-8")
    done = stack.command("report", "--budgets", str(file))
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stdout.splitlines() if "series of fds" in line]
    assert len(said) == 1
    assert "budget 7 (too small on purpose)" in said[0]
