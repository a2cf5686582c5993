"""The overview and the frame in a real browser: what is, the token, the themes, dead backends."""

import json
from collections.abc import Mapping

import pytest

from console.boards.units import number
from firedrill.screenshots.page import Page
from firedrill.wait import poll_until
from tests.integration.conftest import LiveStack
from tests.integration.console.browser import PATIENCE, ConsoleUnderTest, Open

SERVICES = ("judgment", "workflow", "ecommerce", "fds", "ml", "admin")
BACKENDS = {
    "Prometheus": "prometheus",
    "Loki": "loki",
    "Jaeger": "jaeger",
    "Alertmanager": "alertmanager",
}
ROWS = """Object.fromEntries([...document.querySelectorAll('.fd-services tbody tr')].map((row) => {
  const cells = [...row.cells].map((cell) => cell.innerText.trim());
  return [cells[1], cells.slice(2, 7)];
}))"""


def rows(page: Page) -> Mapping[str, list[str]]:
    """Health, requests, P95, errors and budget of each service."""
    found: Mapping[str, list[str]] = page.ask(ROWS)
    return found


def test_services_with_health_rate_and_budget(open_page: Open) -> None:
    """Each service of the core is up and has requests; those with objectives say what is left."""
    page = open_page("/")

    def complete() -> bool:
        found = rows(page)
        assert set(found) >= set(SERVICES)
        assert {found[name][0] for name in SERVICES} == {"up"}
        assert all(found[name][1].endswith("req/s") for name in SERVICES)
        assert found["fds"][4].endswith("%")
        assert found["ecommerce"][4].endswith("%")
        return True

    poll_until(complete, "the services' figures", PATIENCE, interval=0.5)
    assert "prometheus" in page.text(".fd-stack")


def test_links_lead_to_the_services_board_logs_and_traces(open_page: Open) -> None:
    """From a service's row."""
    page = open_page("/")
    page.wait("document.querySelectorAll('.fd-services tbody tr').length >= 6", "the services", PATIENCE)
    links = page.ask(
        "[...document.querySelectorAll('.fd-services a')].map((one) => one.getAttribute('href'))"
    )
    assert {"/boards/fds-performance", "/logs?service=fds", "/traces?service=fds"} <= set(links)


def test_a_fault_that_is_set_is_seen_and_its_heal_too(open_page: Open, stack: LiveStack) -> None:
    """Without a reload."""
    page = open_page("/")
    try:
        stack.must("fault", "set", "ml/ml_slow", "--ttl", "120")
        page.wait("document.querySelector('main').innerText.includes('ml/ml_slow')", "the fault", PATIENCE)
    finally:
        stack.must("fault", "clear", "ml/ml_slow")
    page.wait("!document.querySelector('main').innerText.includes('ml/ml_slow')", "the heal", PATIENCE)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_dead_backend_is_named_and_its_return_noticed(open_page: Open, stack: LiveStack, name: str) -> None:
    """Pages go on; the notice comes and goes by itself."""
    page, board = open_page("/"), open_page("/boards/firedrill-start")
    said = f"document.querySelector('.fd-outages').innerText.includes('{name} does not answer')"
    stack.must("stop", BACKENDS[name])
    try:
        for one in (page, board):
            one.wait(said, f"{name} to be named", PATIENCE)
        assert page.text("h1") == "Overview"
    finally:
        stack.must("start", BACKENDS[name])
    for one in (page, board):
        one.wait(f"!({said})", f"{name}'s return", PATIENCE)


def test_the_link_with_the_token_is_shown_and_leaves_no_trace(
    open_page: Open, stack: LiveStack, console: ConsoleUnderTest
) -> None:
    """`status` shows it; the browser keeps a cookie that no script sees, and the address is clean."""
    said = stack.must("status")
    assert f"/?token={console.token}" in said
    page = open_page("/", token=True)
    assert page.ask("location.search") == ""
    assert console.token not in page.ask("document.cookie + document.documentElement.outerHTML")
    assert "firedrill_" not in page.ask("document.cookie")


def test_another_sites_page_gets_nothing(stack: LiveStack, console: ConsoleUnderTest) -> None:
    """By a foreign name, or from a foreign page, even with the cookie."""
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert stack.http.get(console.url("/"), headers=headers).status_code == 403


def test_theme_follows_the_system_and_can_be_chosen(open_page: Open) -> None:
    """Dark by the system; the button goes to light and stays there after a reload."""
    page = open_page("/", dark=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.ask("document.documentElement.dataset.theme") == "dark"
    dark = page.ask(ground)
    page.click(".fd-theme")
    page.wait("document.documentElement.dataset.theme === 'light'", "the light theme", PATIENCE)
    assert page.ask(ground) != dark
    page.go(page.ask("location.href"))
    assert page.ask("document.documentElement.dataset.theme") == "light"


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    """Tab goes to the jump over the navigation first, and the focus can be seen."""
    page = open_page("/")
    page.press("Tab")
    assert page.ask("document.activeElement.innerText") == "To the content"
    page.press("Tab")
    page.press("Tab")
    assert page.ask("document.activeElement.innerText") == "Overview"
    assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reachable = page.ask(
        "[...document.querySelectorAll('main a, main button, main select')]"
        ".every((one) => one.tabIndex >= 0 && (one.tagName !== 'A' || one.hasAttribute('href')))"
    )
    assert reachable


def test_numbers_are_written_alike_by_server_and_browser(open_page: Open) -> None:
    """Axes and tooltips say what figures say."""
    page = open_page("/boards")
    cases = [
        (value, unit, decimals)
        for value in (0.0, 0.00004, 0.0123, 0.27, 1.5, 90.0, 600.0, 1234.6, 9.9e6, 2.0**31, -3.2)
        for unit in ("short", "s", "ms", "percentunit", "reqps", "bytes", "currencyKRW", "currencyUSD")
        for decimals in (None, 1)
    ]
    written = page.ask(f"{json.dumps(cases)}.map((one) => fdNumber(...one))")
    assert written == [number(*one) for one in cases]
