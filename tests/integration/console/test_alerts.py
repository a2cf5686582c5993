"""Alerts and runbooks in a real browser: what fires, silenced and not, what was, and what to do."""

from tests.integration.console.browser import Open
from tests.integration.console.desk import Desk, see
from tests.integration.console.standins import SCRIPT


def test_an_alert_shows_state_labels_links_and_past_as_text(open_desk: Open) -> None:
    """Its runbook and board are those of the console."""
    page = open_desk("/alerts")
    see(page, ".al-card", "FDSSLAViolation")
    see(page, ".al-card", SCRIPT)
    assert page.ask("window.stolen ?? 'nothing'") == "nothing"
    links = page.ask("[...document.querySelectorAll('.al-links a')].map(one => one.pathname)")
    assert links[:2] == ["/runbooks/fds/FDSSLAViolation", "/boards/fds-performance"]
    see(page, ".al-history", "fired once")
    see(page, ".al-rule", "FDSSLAViolation")


def test_nobody_silences_without_the_token(open_desk: Open) -> None:
    """The page is readable, has no form, and says where the link is."""
    page = open_desk("/alerts")
    see(page, ".al-card", "FDSSLAViolation")
    assert page.ask("document.querySelectorAll('.al-silence').length") == 0
    see(page, ".fd-note", "make status")


def test_an_alert_is_silenced_and_the_silence_ended(open_desk: Open, desk: Desk) -> None:
    """With the chosen labels, for as long as asked, with its reason; afterwards it fires again."""
    page = open_desk("/alerts", token=True)
    see(page, ".al-card", "FDSSLAViolation")
    page.click(".al-silence summary")
    page.ask("document.querySelector('[name=why]').value = 'being worked on'")
    page.click(".al-silence [type=submit]")
    see(page, ".al-card .fd-badge", "silenced")
    made = desk.backends["alertmanager"].silences[0]
    assert made["comment"] == "being worked on"
    names = {one["name"]: one["value"] for one in made["matchers"]}
    assert names == {
        "alertname": "FDSSLAViolation", "severity": "warning", "system": "shopfds", "service": "fds",
    }  # fmt: skip
    page.click(".al-silence-row button")
    see(page, ".al-card .fd-badge", "firing")
    assert desk.backends["alertmanager"].silences[0]["status"] == {"state": "expired"}


def test_what_is_typed_stays_when_another_alert_comes(open_desk: Open, desk: Desk) -> None:
    """Only what has changed is built anew."""
    page = open_desk("/alerts", token=True)
    see(page, ".al-card", "FDSSLAViolation")
    page.click(".al-silence summary")
    page.ask("document.querySelector('[name=why]').value = 'being typed'")
    desk.backends["prometheus"].another = True
    see(page, ".al-card", "Another")
    assert "being typed" in page.ask("[...document.querySelectorAll('[name=why]')].map(one => one.value)")
    assert page.ask("document.querySelectorAll('.al-silence[open]').length") == 1


def test_a_silence_without_a_label_is_refused(open_desk: Open, desk: Desk) -> None:
    """It would silence everything; the reason is shown and nothing is sent."""
    page = open_desk("/alerts", token=True)
    see(page, ".al-card", "FDSSLAViolation")
    page.click(".al-silence summary")
    page.ask("document.querySelector('[name=why]').value = 'x'")
    page.ask("document.querySelectorAll('.al-matchers input').forEach(one => { one.checked = false })")
    page.click(".al-silence [type=submit]")
    see(page, ".q-notification", "choose at least one label")
    assert desk.backends["alertmanager"].silences == []


def test_a_runbook_runs_its_queries(open_desk: Open) -> None:
    """A query's answer stands below it, as text; the others lead to logs and traces with the same search."""
    page = open_desk("/runbooks/fds/FDSSLAViolation")
    see(page, "h1", "FDSSLAViolation")
    page.click(".rb-code .fd-button")
    see(page, ".rb-answer", "0.25")
    see(page, ".rb-answer", SCRIPT)
    assert page.ask("window.stolen ?? 'nothing'") == "nothing"
    links = page.ask("[...document.querySelectorAll('.rb-code-head a')].map(one => one.pathname)")
    assert links == ["/logs", "/traces"]


def test_a_runbook_that_is_not_there_says_so(open_desk: Open) -> None:
    """And where those are that there are."""
    see(open_desk("/runbooks/fds/Nothing"), ".fd-note", "There is no runbook fds/Nothing")
