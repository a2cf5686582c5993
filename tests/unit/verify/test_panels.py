"""Every panel and example is asked; what is empty without a reason, or fails, is named with its query."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firedrill.clients import Refused, Unreachable
from firedrill.dashboards.live import Ask, Variable
from firedrill.errors import TopologyError
from firedrill.verify.check import Missing, Seen
from firedrill.verify.panels import Panels, panels
from firedrill.verify.sources import WINDOW_SECONDS

DATASOURCES = "datasources:\n- {uid: prometheus, jsonData: {timeInterval: 15s}}\n"
RUNNING = frozenset({"prometheus", "loki", "traffic", "fds"})


@dataclass
class Backends:
    """Answers with one value to everything, but for what a test says."""

    counts: dict[str, int | Exception | None] = field(default_factory=dict)
    labels: Sequence[str] = ("a", "b")
    asked: list[Ask] = field(default_factory=list)

    def count(self, ask: Ask, *, seconds: float = WINDOW_SECONDS) -> int | None:
        """What the test says of the query's text."""
        self.asked.append(ask)
        found = self.counts.get(ask.text, 1)
        if isinstance(found, Exception):
            raise found
        return found

    def values(self, variable: Variable) -> Sequence[str] | None:
        """The same for each variable."""
        return self.labels


def panel(title: str, *texts: str, datasource: str = "prometheus") -> dict[str, Any]:
    """A panel with these queries."""
    return {"title": title, "targets": [{"datasource": {"uid": datasource}, "expr": one} for one in texts]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One dashboard with two panels, a variable and an annotation; two examples."""
    source = {"uid": "prometheus"}
    variable = {"name": "t", "datasource": source, "query": {"query": "label_values(up, tenant)"}}
    made = {
        "uid": "board",
        "title": "Board",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [variable]},
        "annotations": {"list": [{"name": "Alerts", "datasource": source, "expr": "ALERTS"}]},
        "panels": [panel("First", 'x{t=~"$t"}', "y"), panel("Second", "z")],
    }
    (tmp_path / "dashboards/shopfds").mkdir(parents=True)
    (tmp_path / "dashboards/shopfds/board.json").write_text(json.dumps(made))
    folder = tmp_path / "config/grafana/provisioning/datasources"
    folder.mkdir(parents=True)
    (folder / "datasources.yml").write_text(DATASOURCES)
    (tmp_path / "services/fds").mkdir(parents=True)
    (tmp_path / "services/chat").mkdir()
    (tmp_path / "docs").mkdir()
    blocks = [
        "## fds",
        "Which?",
        "```logql\n{a=`b`}\n```",
        "Wrong? Empty in calm; filled by the drill `fds/D`.",
        "```traceql\n{ }\n```",
        "## chat",
        "What?",
        "```logql\n{a=`chat`}\n```",
    ]
    (tmp_path / "docs/queries.md").write_text("\n\n".join(blocks))
    return tmp_path


def excuse(project: Path, entry: str) -> None:
    """Say that a panel may be empty."""
    (project / "dashboards/empty_in_calm.yml").write_text(f"panels:\n- {entry}\n")


def of(project: Path, answers: Backends, started: frozenset[str] = RUNNING) -> Panels:
    """The checks of the project."""
    return panels(project, answers=answers, started=started, systems=frozenset({"shopfds"}))


def attempt(found: Panels, name: str) -> Seen | Missing:
    """One attempt at the check of that name."""
    return next(check for check in found.checks if check.name == name).attempt()


def test_every_query_is_asked_with_the_values_of_the_variables(project: Path) -> None:
    """Panels with data are counted; annotations are asked and may be empty."""
    answers = Backends({"ALERTS": 0})
    found = of(project, answers)
    assert isinstance(attempt(found, "dashboard board"), Seen)
    assert [one.text for one in answers.asked] == ['x{t=~"(a|b)"}', "y", "z", "ALERTS"]
    (row, *_) = found.rows()
    assert (row.name, row.asked, row.with_data, row.excused) == ("shopfds/board", 2, 2, ())


def test_an_empty_panel_is_named_with_its_query(project: Path) -> None:
    """A panel of which one query gives nothing is not whole; it may fill, so the check goes on."""
    found = of(project, Backends({"y": 0}))
    missing = attempt(found, "dashboard board")
    assert isinstance(missing, Missing)
    assert "'First': no data: prometheus y" in missing.what
    assert missing.query == "firedrill query y"
    assert not missing.final
    assert found.rows()[0].wrong == ("First: no data",)


def test_what_was_answered_is_not_asked_again(project: Path) -> None:
    """The next attempt asks the empty ones alone, and passes when they have filled."""
    answers = Backends({"z": 0, "ALERTS": 0})
    found = of(project, answers)
    assert isinstance(attempt(found, "dashboard board"), Missing)
    answers.asked.clear()
    answers.counts["z"] = 3
    assert isinstance(attempt(found, "dashboard board"), Seen)
    assert [one.text for one in answers.asked] == ["z"]
    assert found.rows()[0].with_data == 2


def test_a_query_that_cannot_be_read_fails_at_once(project: Path) -> None:
    """With the words of the backend, and whatever excuses an empty panel."""
    excuse(project, "{dashboard: board, panel: Second, drill: fds/D, why: calm}")
    refusal = Refused("Prometheus refused", "HTTP 400: parse error", status=400)
    missing = attempt(of(project, Backends({"z": refusal})), "dashboard board")
    assert isinstance(missing, Missing)
    assert "'Second': HTTP 400: parse error: prometheus z" in missing.what
    assert missing.final


def test_a_backend_that_does_not_answer_is_waited_for(project: Path) -> None:
    """It is named with the query that it did not answer."""
    missing = attempt(
        of(project, Backends({"z": Unreachable("Prometheus does not answer", "refused")})), "dashboard board"
    )
    assert isinstance(missing, Missing)
    assert "Prometheus does not answer" in missing.what
    assert not missing.final


def test_a_panel_that_a_drill_fills_may_be_empty(project: Path) -> None:
    """The row says which drill."""
    excuse(project, "{dashboard: board, panel: Second, drill: fds/D, why: calm}")
    found = of(project, Backends({"z": 0}))
    assert isinstance(attempt(found, "dashboard board"), Seen)
    assert found.rows()[0].excused == (("Second", "drill fds/D"),)
    assert found.rows()[0].with_data == 1


@pytest.mark.parametrize(("holds", "result"), [(1, Seen), (0, Missing)])
def test_a_panel_may_be_empty_while_its_condition_holds(project: Path, holds: int, result: type) -> None:
    """And no longer."""
    excuse(project, "{dashboard: board, panel: Second, while: few, why: too few cases}")
    assert isinstance(attempt(of(project, Backends({"z": 0, "few": holds})), "dashboard board"), result)


def test_without_traffic_an_empty_panel_proves_nothing(project: Path) -> None:
    """It is told, and does not fail."""
    found = of(project, Backends({"z": 0}), RUNNING - {"traffic"})
    assert isinstance(attempt(found, "dashboard board"), Seen)
    assert "TRAFFIC=off" in found.rows()[0].excused[0][1]


def test_a_variable_without_values_is_named(project: Path) -> None:
    """Nothing could be chosen on the page."""
    missing = attempt(of(project, Backends(labels=())), "dashboard board")
    assert isinstance(missing, Missing)
    assert "$t has no values: label tenant of up" in missing.what


def test_an_unknown_macro_ends_the_check(project: Path) -> None:
    """No later attempt can fill it in."""
    path = project / "dashboards/shopfds/board.json"
    path.write_text(path.read_text().replace('"z"', '"rate(z[$__auto])"'))
    missing = attempt(of(project, Backends()), "dashboard board")
    assert isinstance(missing, Missing)
    assert "$__auto" in missing.what
    assert missing.final


def test_examples_are_asked_where_their_service_runs(project: Path) -> None:
    """The one of Tempo is counted as not asked without Tempo; another service's are said to be left out."""
    found = of(project, Backends({"{ }": None}))
    assert isinstance(attempt(found, "examples fds"), Seen)
    assert [(one.name, one.with_data, one.not_asked) for one in found.rows()][1:] == [
        ("docs/queries.md fds", 1, 1)
    ]
    assert [one.name for one in found.not_checked] == ["examples chat"]


def test_an_example_that_gives_nothing_is_named(project: Path) -> None:
    """By its line on the page; the one that a drill fills may."""
    missing = attempt(of(project, Backends({"{a=`b`}": 0, "{ }": 0})), "examples fds")
    assert isinstance(missing, Missing)
    assert "'line 5': no data" in missing.what
    assert missing.query == "firedrill search '{a=`b`}'"
    assert "{ }" not in missing.what


def test_a_system_that_does_not_run_is_not_asked(project: Path) -> None:
    """Its dashboards are told instead."""
    found = panels(project, answers=Backends(), started=RUNNING, systems=frozenset({"kerp"}))
    assert "dashboard board" in [one.name for one in found.not_checked]


def test_a_dashboard_that_cannot_be_read_is_named(project: Path) -> None:
    """By its file."""
    (project / "dashboards/shopfds/other.json").write_text("{}")
    with pytest.raises(TopologyError, match=r"other\.json cannot be read"):
        of(project, Backends())
