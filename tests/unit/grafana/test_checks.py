"""What the checks of a Grafana name when something is wrong, against one written by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from firedrill.grafana import checks
from firedrill.grafana.client import Grafana
from firedrill.grafana.panels import Panel, empty_in_calm, panels

ROOT = Path(__file__).parents[3]
PROVENANCE = {"provenance": "file", "labels": {"source": "grafana"}}


@dataclass
class World:
    """A Grafana that has read everything, unless a test takes something away."""

    datasources: list[dict[str, Any]] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=lambda: {"status": "OK", "message": "fine"})
    rules: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    receiver: str = "grafana-inbox"
    result: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answers: dict[str, Callable[[], Any]] = {
            "/api/datasources": lambda: self.datasources,
            "/api/search": lambda: [{"uid": "here", "folderTitle": "shopfds"}],
            "/api/v1/provisioning/alert-rules": lambda: self.rules,
            "/api/prometheus/grafana/api/v1/rules": lambda: {"data": {"groups": [{"rules": self.states}]}},
            "/api/v1/provisioning/contact-points": lambda: [{"name": "grafana-inbox"}],
            "/api/v1/provisioning/policies": lambda: {"receiver": self.receiver},
        }
        path = request.url.path
        if found := [rule for rule in self.rules if path.endswith(f"/alert-rules/{rule['uid']}")]:
            return httpx.Response(200, json=found[0])
        if path == "/api/ds/query":
            self.asked.append(json.loads(request.content))
            return httpx.Response(200, json={"results": self.result})
        if path.endswith("/health"):
            return self._health(path.split("/")[-2])
        if "/proxy/" in path:
            return httpx.Response(200, json={})
        return httpx.Response(200, json=answers[path]())

    def _health(self, uid: str) -> httpx.Response:
        """10.1 on a plugin of the browser, a newer one on a backend without a check, and one that has it."""
        silent = {"jaeger": (503, "Plugin unavailable"), "alertmanager": (404, "Not found")}
        if uid not in silent:
            return httpx.Response(200, json=self.health)
        status, message = silent[uid]
        return httpx.Response(status, json={"message": message})

    def grafana(self) -> Grafana:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Grafana("http://grafana.test", http=http, user="admin", password="x")


def whole() -> World:
    """A Grafana with the project's own datasources and rules."""
    kinds = ("prometheus", "loki", "jaeger", "tempo", "alertmanager")
    uids = {"FDSSLAViolation", "FDSPrecisionDrop", "HighErrorRate"}
    return World(
        datasources=[{"uid": kind, "type": kind} for kind in kinds],
        rules=[{"uid": f"grafana-{name.lower()}", **PROVENANCE} for name in uids],
        states=[
            {"name": name, "health": "ok", "lastEvaluation": "2026-11-21T10:00:00Z"} for name in sorted(uids)
        ],
    )


def test_nothing_is_named_when_everything_is_read() -> None:
    """Plugins without a health check are asked through the proxy."""
    grafana = whole().grafana()
    assert not list(checks.datasources(grafana, ROOT))
    assert not list(checks.rules(grafana, ROOT))
    assert not list(checks.delivery(grafana, ROOT))


def test_a_datasource_that_is_missing_or_ill_is_named() -> None:
    """With the words of its plugin."""
    world = whole()
    world.datasources = world.datasources[1:]
    world.health = {"status": "ERROR", "message": "connection refused"}
    found = list(checks.datasources(world.grafana(), ROOT))
    assert found[0] == "datasource prometheus is not there"
    assert "datasource loki: connection refused" in found


def test_a_rule_that_fails_or_never_ran_is_named() -> None:
    """A rule may be provisioned and still not work."""
    world = whole()
    world.states[0] |= {"health": "error", "lastError": "parse error"}
    world.states[1]["lastEvaluation"] = "0001-01-01T00:00:00Z"
    world.rules = [rule for rule in world.rules if rule["uid"] != "grafana-higherrorrate"]
    found = sorted(checks.rules(world.grafana(), ROOT))
    assert found == [
        "alert rule grafana-fdsprecisiondrop is error: parse error",
        "alert rule grafana-fdsslaviolation has not been evaluated",
        "alert rule grafana-higherrorrate is not there",
    ]


def test_a_policy_that_leads_elsewhere_is_named() -> None:
    """As after somebody's change in the page."""
    world = whole()
    world.receiver = "grafana-default-email"
    assert list(checks.delivery(world.grafana(), ROOT)) == [
        "the policy leads to grafana-default-email, not to grafana-inbox"
    ]


def test_a_dashboard_that_is_not_loaded_or_lies_elsewhere_is_named(tmp_path: Path) -> None:
    """By uid, with the folder."""
    for name in ("platform/here.json", "platform/gone.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"uid": path.stem}))
    assert list(checks.dashboards(whole().grafana(), tmp_path)) == [
        "dashboard gone is not loaded",
        "dashboard here lies in 'shopfds', not in 'platform'",
    ]


def test_values_are_counted_without_times_and_nulls() -> None:
    """A frame whose values are all null shows nothing."""
    world = whole()
    fields = [{"type": "time"}, {"type": "number"}]
    frame = {"schema": {"fields": fields}, "data": {"values": [[1, 2, 3], [1.0, None, 2.0]]}}
    world.result = {"A": {"frames": [frame]}, "B": {"frames": []}}
    (shown,) = checks.shown(world.grafana(), [one_panel("prometheus")])
    assert (shown.values, shown.problem) == (2, "")


def test_an_unknown_datasource_uid_and_a_failing_query_are_named() -> None:
    """Both are problems of the panel; only the second is asked at all."""
    world = whole()
    world.result = {"A": {"error": "bad_data: parse error", "frames": []}}
    wrong, failing = checks.shown(world.grafana(), [one_panel("prometheuss"), one_panel("prometheus")])
    assert wrong.problem == "asks a datasource that is not there: prometheuss"
    assert failing.problem == "A: bad_data: parse error"
    assert len(world.asked) == 1


def test_variables_are_filled_in_and_macros_are_left_to_grafana() -> None:
    """Also in rows; a variable that offers everything means everything."""
    dashboard = {
        "uid": "d",
        "templating": {
            "list": [
                {"name": "service", "includeAll": True, "current": {"value": "$__all"}},
                {"name": "tenant", "current": {"value": ["a", "b"]}},
            ]
        },
        "panels": [
            {"title": "row", "panels": [
                {"title": "p", "datasource": {"uid": "loki"}, "targets": [
                    {"refId": "A", "expr": 'rate({s=~"$service",t=~"${tenant:regex}"}[$__rate_interval])'}
                ]},
                {"title": "text"},
            ]}
        ],
    }  # fmt: skip
    (panel,) = panels(dashboard)
    assert panel.uids == {"loki"}
    assert panel.queries[0]["expr"] == 'rate({s=~".*",t=~"a|b"}[$__rate_interval])'


def test_without_a_list_no_panel_may_be_empty(tmp_path: Path) -> None:
    """And with one, those that it names."""
    assert not empty_in_calm(tmp_path)
    (tmp_path / "empty_in_calm.yml").write_text(
        "panels:\n  - {dashboard: d, panel: Firing now, drill: a/B}\n"
    )
    assert empty_in_calm(tmp_path) == {("d", "Firing now")}


def one_panel(uid: str) -> Panel:
    """A panel with one query."""
    return Panel("d", "p", ({"refId": "A", "datasource": {"uid": uid}, "expr": "up"},))
