"""Alerts as rows: Prometheus's state joined with what Alertmanager does about it."""

from typing import Any

from console.alerts.rows import Place, active, board_uid, counts, rules, runbook_place
from console.sources import FiringRule, HeldAlert

LABELS = {"alertname": "HighErrorRate", "severity": "warning", "system": "shopfds"}


def firing(
    name: str = "HighErrorRate", *, state: str = "firing", severity: str = "warning", since: float = 5
) -> FiringRule:
    """An alert of Prometheus."""
    notes = {
        "summary": "The shop fails",
        "runbook_url": f"http://127.0.0.1:8090/runbooks/ecommerce/{name}",
        "dashboard_url": "http://127.0.0.1:3002/d/shop-errors?x=1",
    }
    return FiringRule({**LABELS, "alertname": name, "severity": severity}, notes, state, since, "0.5")


def held(*, silenced: tuple[str, ...] = (), inhibited: tuple[str, ...] = ()) -> HeldAlert:
    """The same in Alertmanager."""
    return HeldAlert("f", LABELS, {}, "suppressed", 5, 6, ("team",), silenced, inhibited, "")


def test_the_worst_stands_first() -> None:
    """Firing before pending, critical before warning, then the latest; the Watchdog is no alert."""
    found = active(
        [
            firing("A", state="pending", severity="critical"),
            firing("B", since=1),
            firing("C", since=9),
            firing("D", severity="critical"),
            firing("Watchdog", severity="none"),
        ],
        [],
    )
    assert [one.name for one in found] == ["D", "C", "B", "A"]
    assert counts(found) == {"firing": 3, "pending": 1, "silenced": 0, "inhibited": 0}


def test_what_alertmanager_holds_back_says_why() -> None:
    """A silence and an inhibition are states of their own; a pending alert Alertmanager does not know."""
    assert active([firing()], [held(silenced=("s1",))])[0].state == "silenced"
    assert active([firing()], [held(silenced=("s1",))])[0].silenced_by == ("s1",)
    assert active([firing()], [held(inhibited=("x",))])[0].state == "inhibited"
    assert active([firing(state="pending")], [held(silenced=("s1",))])[0].state == "pending"
    assert active([firing()], [])[0].state == "firing"


def test_annotations_lead_to_pages_of_the_console() -> None:
    """Runbook and board are found in the addresses that alerts carry; other addresses lead nowhere."""
    alert = active([firing()], [])[0]
    assert (alert.runbook, alert.board) == (Place("ecommerce", "HighErrorRate"), "shop-errors")
    assert runbook_place("http://x/runbooks/a/b/c") is None
    assert runbook_place("javascript:alert(1)") is None
    assert board_uid("http://x/dashboards") == ""


def test_rules_tell_their_state_and_what_is_wrong_with_them() -> None:
    """Recording rules and the Watchdog are left out; one that cannot be evaluated says so."""
    loaded: list[dict[str, Any]] = [
        {"type": "recording", "name": "a:b"},
        {"type": "alerting", "name": "Watchdog", "state": "firing"},
        {
            "type": "alerting", "name": "Quiet", "state": "inactive", "duration": 30, "query": "x > 1",
            "labels": {"severity": "critical", "system": "s"}, "annotations": {}, "lastError": "",
        },
        {"type": "alerting", "name": "Broken", "state": "unknown", "lastError": "many-to-many"},
    ]  # fmt: skip
    found = rules(loaded)
    assert [(one.name, one.state, one.wait, one.broken) for one in found] == [
        ("Broken", "quiet", 0.0, "many-to-many"), ("Quiet", "quiet", 30.0, ""),
    ]  # fmt: skip
