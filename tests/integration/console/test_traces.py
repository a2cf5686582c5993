"""Traces in a real browser: found, opened, folded, with their logs beside them."""

import pytest

from tests.integration.console.browser import PATIENCE, Open
from tests.integration.console.desk import Desk, see
from tests.integration.console.standins import SCRIPT, TRACE_ID

# What a page that ran a text of somebody else's would have set.
NAMED = {"fds": "fds"}
STOLEN = "window.stolen ?? 'nothing'"


def test_a_search_leads_to_the_trace(open_desk: Open) -> None:
    """A row names root, duration and errors; it opens the waterfall."""
    page = open_desk("/traces?service=fds")
    see(page, ".tr-item", "POST /v1/orders")
    assert "200.0 ms" in page.text(".tr-item")
    assert "1 error" in page.text(".tr-item")
    page.click(".tr-item")
    see(page, "h1", "POST /v1/orders")
    page.wait(f"location.pathname === '/traces/{TRACE_ID}'", "the address of the trace", PATIENCE)


def test_the_waterfall_marks_errors_and_shows_attributes_on_a_click(open_desk: Open) -> None:
    """Bars are nested and the failed one is marked; what it says is text; a fold hides what is below."""
    page = open_desk(f"/traces/{TRACE_ID}")
    see(page, ".wf-row", "SELECT")
    names = page.ask("[...document.querySelectorAll('[data-span]')].map(one => one.dataset.span)")
    assert names == ["a1", "b1", "c1"]
    assert page.ask("[...document.querySelectorAll('.wf-error')].map(one => one.dataset.span)") == ["b1"]
    page.click("[data-span=b1] .wf-label")
    see(page, ".wf-detail", SCRIPT)
    assert "60.0 ms without the spans below" in page.text(".wf-detail")
    assert page.ask(STOLEN) == "nothing"
    page.click("[data-span=a1] .wf-fold")
    page.wait("document.querySelectorAll('[data-span]').length === 1", "what is below to fold", PATIENCE)


def test_its_logs_stand_beside_it_as_text(open_desk: Open) -> None:
    """Lines of all services with the trace's id, oldest first."""
    page = open_desk(f"/traces/{TRACE_ID}")
    see(page, ".tr-logs", "Order placed")
    see(page, ".tr-logs", SCRIPT)
    services = page.ask("[...document.querySelectorAll('.tr-logs .ll-service')].map(one => one.innerText)")
    assert services == ["ecommerce", "fds"]
    assert page.ask(STOLEN) == "nothing"


def test_a_search_that_cannot_be_read_says_why(open_desk: Open) -> None:
    """The form stays with what was typed."""
    page = open_desk("/traces?service=fds&shortest=soon")
    see(page, ".fd-note", "'soon' is not a duration")
    assert page.ask("document.querySelector('[name=shortest]').value") == "soon"


@pytest.mark.parametrize(
    ("backend", "path", "shown"),
    [
        ("jaeger", "/traces", "POST /v1/orders"),
        ("jaeger", f"/traces/{TRACE_ID}", "evaluate"),
        ("loki", f"/traces/{TRACE_ID}", "Order placed"),
        ("loki", "/logs", "Order placed"),
        ("prometheus", "/alerts", "FDSSLAViolation"),
        ("alertmanager", "/alerts", "FDSSLAViolation"),
        ("inbox", "/inbox", "shopfds-alerts"),
        ("fds", "/faults", "cti_slow"),
    ],
)
def test_a_dead_backend_is_named_and_the_page_recovers(
    open_desk: Open, desk: Desk, backend: str, path: str, shown: str
) -> None:
    """A page that opens while a backend is gone says so, and shows all when it is back, without a reload."""
    desk.backends[backend].close()
    page = open_desk(path)
    see(page, ".fd-outage", f"{NAMED.get(backend, backend.capitalize())} does not answer")
    page.ask("window.stayed = true")
    desk.backends[backend].open()
    see(page, "main", shown)
    page.wait("!document.querySelector('.fd-outage')", "the notice to go", PATIENCE)
    assert page.ask("window.stayed") is True
