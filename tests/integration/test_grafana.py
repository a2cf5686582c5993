"""A real Grafana reads every provisioned file on the running stack; GRAFANA_URL asks another one instead."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from firedrill.binaries import locate
from firedrill.clients import Backend
from firedrill.grafana import checks
from firedrill.grafana.client import Grafana
from firedrill.grafana.links import Provisioned
from firedrill.grafana.panels import empty_in_calm, read
from firedrill.wait import poll_until
from tests.integration.conftest import LiveStack
from tests.integration.grafana.server import serving

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "dashboards"
OTHER = os.environ.get("GRAFANA_URL", "")
BROKEN = "no-such-prometheus"
# A rule is evaluated every 10 s. The precision of fraud detection needs 50 labelled payments, which is up to
# 5 minutes of background traffic after `up`.
SETTLE_SECONDS, PANEL_SECONDS, FIRE_SECONDS = 90.0, 330.0, 240.0
pytestmark = pytest.mark.skipif(
    not OTHER and locate("grafana-server") is None,
    reason="grafana-server is not here; get it: firedrill build grafana-server",
)


@pytest.fixture(scope="module")
def dashboards() -> Iterator[Path]:
    """The project's dashboards and a copy of one whose datasource's uid is wrong."""
    with tempfile.TemporaryDirectory(prefix="firedrill-boards-") as name:
        folder = Path(name) / "dashboards"
        shutil.copytree(DASHBOARDS, folder)
        (folder / "broken").mkdir()
        text = next(folder.rglob("firedrill-start.json"), next(folder.rglob("*.json"))).read_text()
        text = text.replace('"uid": "prometheus"', f'"uid": "{BROKEN}"').replace("firedrill-start", "broken")
        (folder / "broken" / "broken.json").write_text(text)
        yield folder


@pytest.fixture(scope="module")
def grafana(stack: LiveStack, dashboards: Path) -> Iterator[Grafana]:
    """The Grafana under test."""
    with httpx.Client(timeout=60.0, trust_env=False) as http:
        if OTHER:
            user, password = os.environ.get("GRAFANA_USER", "admin"), os.environ.get("GRAFANA_PASSWORD", "")
            yield Grafana(OTHER, http=http, user=user, password=password)
            return
        binary = locate("grafana-server")
        assert binary is not None
        with serving(binary, stack.view(), http, dashboards=dashboards) as started:
            yield started


def settled(findings: Iterator[str]) -> bool:
    """Nothing is wrong; otherwise the failure says what."""
    found = list(findings)
    assert not found, "\n".join(found)
    return True


def test_every_datasource_is_there_and_reaches_its_backend(grafana: Grafana) -> None:
    """In its own words, or through the proxy where its plugin lives in the browser."""
    settled(checks.datasources(grafana, ROOT))


def test_the_links_are_read_as_they_are_followed(grafana: Grafana) -> None:
    """What verify fills in is what this Grafana has read: the `$$` of the file is one dollar in both."""
    there = grafana.datasources()
    for uid, wanted in Provisioned(ROOT).sources.items():
        assert there[uid]["jsonData"] == wanted, uid


def test_every_dashboard_lies_in_its_folder(grafana: Grafana) -> None:
    """As many as there are files, each below the folder of its file, with all its panels."""
    poll_until(lambda: settled(checks.dashboards(grafana, DASHBOARDS)), "dashboards load", SETTLE_SECONDS)
    for panel in read(DASHBOARDS):
        titles = {one.get("title", "") for one in grafana.dashboard(panel.dashboard)["panels"]}
        assert panel.title in titles, f"{panel} is not in what Grafana has stored"


def test_every_alert_rule_is_provisioned_and_evaluated(grafana: Grafana) -> None:
    """From the file, without an error, marked as Grafana's."""
    poll_until(lambda: settled(checks.rules(grafana, ROOT)), "rules are evaluated", SETTLE_SECONDS)
    assert all(rule["labels"]["source"] == "grafana" for rule in grafana.rules())


def test_contact_point_and_policy_lead_to_the_inbox(grafana: Grafana) -> None:
    """And nowhere else."""
    settled(checks.delivery(grafana, ROOT))


def test_every_panel_holds_values(grafana: Grafana) -> None:
    """Those that are rightly empty in calm may be; no query fails."""
    panels, calm = read(DASHBOARDS), empty_in_calm(DASHBOARDS)
    assert panels

    def check() -> bool:
        shown = list(checks.shown(grafana, panels))
        wrong = [f"{one.panel}: {one.problem}" for one in shown if one.problem]
        wrong += [
            f"{one.panel}: no values"
            for one in shown
            if not one.values and (one.panel.dashboard, one.panel.title) not in calm
        ]
        assert not wrong, "\n".join(wrong)
        print(f"{len(shown)} panels, {sum(one.values > 0 for one in shown)} with values")
        return True

    poll_until(check, "every panel holds values", PANEL_SECONDS, interval=3.0)


@pytest.mark.skipif(bool(OTHER), reason="breaks nothing in a Grafana that is not ours")
def test_a_broken_datasource_uid_is_named(grafana: Grafana, dashboards: Path) -> None:
    """By dashboard, panel and uid, and Grafana itself does not answer for it."""
    panels = [panel for panel in read(dashboards) if panel.dashboard == "broken" and BROKEN in panel.uids]
    assert panels
    for one in checks.shown(grafana, panels):
        assert BROKEN in one.problem
        assert "broken" in str(one.panel)
    with pytest.raises(Exception, match=r"(?i)not found"):
        grafana.query(panels[0].queries, start="now-5m")


def test_an_alert_of_shopfds_arrives_in_the_inbox_by_grafana_alone(
    grafana: Grafana, stack: LiveStack
) -> None:
    """Slow evaluations fire Grafana's own rule; its message is marked, and Grafana pages nobody else."""
    inbox = Backend("the inbox", stack.view().url("inbox"), http=stack.http)

    begin = time.time()

    def arrived() -> list[dict[str, object]]:
        wanted = {"alertname": "FDSSLAViolation", "receiver": "grafana-inbox", "status": "firing"}
        return list(inbox.get("/api/v1/messages", {**wanted, "since": begin})["messages"])

    stack.must("fault", "set", "fds/cti_slow", "milliseconds=150", "--ttl", "300")
    try:
        (message, *_) = poll_until(arrived, "Grafana's alert is in the inbox", FIRE_SECONDS, interval=1.0)
    finally:
        stack.must("fault", "clear", "fds/cti_slow")
    assert message["labels"]["source"] == "grafana"  # type: ignore[index]  # JSON
    assert message["kind"] == "webhook"
    links = {link["label"]: link["url"] for link in message["links"]}  # type: ignore[attr-defined]  # JSON
    assert links["runbook"].endswith("/runbooks/fds/FDSSLAViolation")
    assert "/d/" in links["dashboard"]
    everything = inbox.get("/api/v1/messages", {"limit": 1000})["messages"]
    elsewhere = [
        one
        for one in everything
        if one["labels"].get("source") == "grafana" and one["receiver"] != "grafana-inbox"
    ]
    assert not elsewhere
