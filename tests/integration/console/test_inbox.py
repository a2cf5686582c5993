"""The inbox and the faults in a real browser."""

import pytest

from tests.integration.console.browser import Open
from tests.integration.console.desk import Desk, see
from tests.integration.console.standins import KINDS, SCRIPT

SHOWN = {
    "slack": ".ib-slack .ib-attachment",
    "pagerduty": ".ib-screen",
    "email": ".ib-mail",
    "webhook": ".ib-hook",
    "sentry": ".ib-event .ib-value",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_seen_as_its_receiver_shows_it(open_desk: Open, kind: str) -> None:
    """As in Slack, on a pager, in a mailbox, as a hook, in Sentry; its text is text."""
    page = open_desk(f"/inbox?id={KINDS.index(kind) + 1}")
    see(page, SHOWN[kind], SCRIPT)
    assert page.ask("window.stolen ?? 'nothing'") == "nothing"
    links = page.ask("[...document.querySelectorAll('.ib-links a')].map(one => one.pathname)")
    assert links[0] == "/runbooks/fds/FDSSLAViolation"


def test_the_newest_message_is_open_and_the_list_can_be_narrowed(open_desk: Open) -> None:
    """All kinds at first, then one; the heartbeat says that somebody watches."""
    page = open_desk("/inbox")
    see(page, ".ib-event", "TimeoutError")
    assert page.ask("document.querySelectorAll('.ib-item').length") == len(KINDS)
    see(page, ".ib-pulse", "are watching")
    page.go(page.ask("document.querySelectorAll('.ib-filters a')[1].href"))
    see(page, ".ib-slack", "# shopfds-alerts")
    assert page.ask("document.querySelectorAll('.ib-item').length") == 1


def test_a_message_that_has_gone_is_missed(open_desk: Open) -> None:
    """The inbox keeps the newest only."""
    see(open_desk("/inbox?id=99"), ".fd-note", "Message 99 is not there")


def test_a_fault_is_set_and_healed_by_hand(open_desk: Open, desk: Desk) -> None:
    """Its parameters and its time are sent; what is in is shown until it is healed."""
    page = open_desk("/faults", token=True)
    see(page, ".ft-card", "cti_slow")
    page.ask("document.querySelector('[name=\"p:milliseconds\"]').value = '200'")
    page.ask("document.querySelector('[name=ttl]').value = '60'")
    page.click(".ft-card [type=submit]")
    see(page, ".ft-sum", "fds/cti_slow")
    set_ = desk.backends["fds"].active["cti_slow"]
    assert set_["parameters"] == {"milliseconds": 200}
    assert set_["expires_at"] - set_["set_at"] == 60
    see(page, ".ft-in", "milliseconds 200")
    page.click(".ft-state button")
    see(page, ".ft-sum", "Nothing is broken")
    assert desk.backends["fds"].active == {}


def test_what_is_out_of_bounds_is_refused_with_its_bounds(open_desk: Open, desk: Desk) -> None:
    """Nothing is sent, and what was typed stays."""
    page = open_desk("/faults", token=True)
    see(page, ".ft-card", "cti_slow")
    page.ask("document.querySelector('[name=\"p:milliseconds\"]').value = '9999'")
    page.click(".ft-card [type=submit]")
    see(page, ".q-notification", "milliseconds must be 1 to 5000 ms")
    assert desk.backends["fds"].active == {}
    assert page.ask("document.querySelector('[name=\"p:milliseconds\"]').value") == "9999"


def test_nobody_breaks_anything_without_the_token(open_desk: Open) -> None:
    """What can be broken is readable; there is no form."""
    page = open_desk("/faults")
    see(page, ".ft-card", "1 to 5000")
    assert page.ask("document.querySelectorAll('.ft-card form').length") == 0
