"""Logs in a real browser: searched, followed, opened, and never more than text."""

import time

from tests.integration.console.browser import PATIENCE, Open
from tests.integration.console.desk import Desk, see
from tests.integration.console.standins import SCRIPT, TRACE_ID


def test_a_line_with_a_script_is_text(open_desk: Open) -> None:
    """Closed and open, message and field: nothing of it runs or becomes an element."""
    page = open_desk("/logs")
    see(page, ".ll-line", SCRIPT)
    page.click(".ll-error .ll-head")
    see(page, ".ll-fields", SCRIPT)
    assert page.ask("window.stolen ?? 'nothing'") == "nothing"
    assert page.ask("document.querySelectorAll('.fd-main script, .fd-main img').length") == 0


def test_a_search_narrows_and_stands_in_the_address(open_desk: Open) -> None:
    """The form is sent as the page's own address, which brings back the same lines."""
    page = open_desk("/logs")
    see(page, ".ll-line", "Order placed")
    page.ask("document.querySelector('[name=service]').value = 'fds'")
    page.click(".fd-search [type=submit]")
    page.wait("location.search.includes('service=fds')", "the address of the search", PATIENCE)
    see(page, ".ll-line", SCRIPT)
    assert page.ask("[...document.querySelectorAll('.ll-service')].map(one => one.innerText)") == ["fds"]


def test_an_open_line_leads_to_its_trace(open_desk: Open) -> None:
    """The trace id among the fields is a link."""
    page = open_desk("/logs")
    see(page, ".ll-line", "Order placed")
    page.click(".ll-info .ll-head")
    see(page, ".ll-fields", TRACE_ID)
    page.click(".ll-fields a")
    page.wait(f"location.pathname === '/traces/{TRACE_ID}'", "the trace", PATIENCE)


def test_followed_lines_come_by_themselves(open_desk: Open, desk: Desk) -> None:
    """New lines stand on top, an open one stays open, and what is there is not shown twice."""
    page = open_desk("/logs?service=fds")
    see(page, ".ll-line", SCRIPT)
    page.click(".ll-head")
    see(page, ".ll-fields", TRACE_ID)
    page.click(".fd-main .fd-row button")
    see(page, ".fd-main .fd-row button", "Following: stop")
    desk.backends["loki"].lines.append(
        (time.time() // 1, {"level": "WARNING", "service": "fds", "message": "Came later"})
    )
    see(page, ".ll-line", "Came later")
    messages = page.ask("[...document.querySelectorAll('.ll-level')].map(one => one.innerText)")
    assert messages == ["WARNING", "ERROR"]
    assert page.ask("document.querySelectorAll('.ll-fields').length") == 1


def test_levels_are_counted_over_time(open_desk: Open) -> None:
    """The bars are drawn."""
    page = open_desk("/logs")
    page.wait("document.querySelector('.lg-volume canvas, .lg-volume svg')", "the chart", PATIENCE)
