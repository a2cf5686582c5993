"""Alerts' links lead where the pages are: moved ports, and a stack without Grafana."""

from firedrill.alert_links import moved_links

RULE = """\
annotations:
  runbook_url: http://127.0.0.1:8090/runbooks/fds/FDSSLAViolation
  dashboard_url: http://127.0.0.1:3002/d/fds-performance
"""
PORTS = {"inbox": {8090: 9090, 1025: 2025}, "grafana": {3000: 4002}, "console": {8080: 9080}}


def test_links_follow_moved_ports() -> None:
    """Runbooks stand in the inbox and dashboards in Grafana, wherever they were moved."""
    found = moved_links(RULE, PORTS, {"grafana", "inbox", "console"})
    assert "runbook_url: http://127.0.0.1:9090/runbooks/fds/FDSSLAViolation" in found
    assert "dashboard_url: http://127.0.0.1:4002/d/fds-performance" in found


def test_without_grafana_dashboards_are_the_consoles() -> None:
    """The console takes the same path."""
    found = moved_links(RULE, PORTS, {"inbox", "console"})
    assert "dashboard_url: http://127.0.0.1:9080/d/fds-performance" in found


def test_other_addresses_stay() -> None:
    """Only pages that people open are moved, and nothing where the pages do not run."""
    other = "url: http://127.0.0.1:8090/slack/x\n"
    assert moved_links(other, PORTS, PORTS) == other
    assert moved_links(RULE, {}, {}) == RULE
