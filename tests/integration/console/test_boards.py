"""Every board in a real browser: with data, equal to what Prometheus says, honest about what is missing."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from firedrill.clients import Series
from firedrill.screenshots.chromium import Connection
from firedrill.screenshots.page import PHONE, Page
from firedrill.wait import poll_until
from tests.integration.conftest import ROOT, LiveStack
from tests.integration.console.browser import PATIENCE, ConsoleUnderTest, Open, pages

BOARDS = {
    file.stem: json.loads(file.read_text("utf-8")) for file in sorted((ROOT / "dashboards").glob("*/*.json"))
}
MAY_BE_EMPTY = {
    (one["dashboard"], one["panel"])
    for one in yaml.safe_load((ROOT / "dashboards/empty_in_calm.yml").read_text("utf-8"))["panels"]
}
# Some panels show nothing until the first labels, breakers or payments of a fresh stack have come.
FILLED_SECONDS = 240.0
EQUAL_SECONDS = 90.0
CHARTS = {"timeseries", "piechart"}

PANELS = """[...document.querySelectorAll('.fd-panel')].map((one) => ({
  title: one.dataset.panel,
  asked: one.dataset.end !== undefined,
  said: [...one.querySelectorAll('.fd-empty')].filter((part) => part.offsetParent)
    .map((part) => part.innerText),
}))"""
SHOWN = """(() => {
  const box = [...document.querySelectorAll('.fd-panel')].find((one) => one.dataset.panel === TITLE);
  const names = ['start', 'end', 'step', 'rate'];
  const numbers = Object.fromEntries(names.map((name) => [name, Number(box.dataset[name])]));
  const chart = [...box.querySelectorAll('.fd-fill')].find((one) => one.fdChart);
  const series = chart ? chart.fdChart.getOption().series.map((one) => [one.type, one.name, one.data]) : [];
  const texts = [...box.querySelectorAll('[data-value]')];
  const figures = texts.map((one) => [one.dataset.series, one.dataset.value]);
  return { ...numbers, series, figures };
})()"""


def test_all_boards_are_listed(open_page: Open) -> None:
    """The list has a link to each."""
    page = open_page("/boards")
    links = page.ask("[...document.querySelectorAll('main a')].map((one) => one.pathname)")
    assert {f"/boards/{uid}" for uid in BOARDS} <= set(links)


def test_an_alerts_link_finds_its_board(open_page: Open) -> None:
    """Without Grafana, dashboard_url leads here."""
    page = open_page("/d/fds-performance")
    poll_until(
        lambda: page.ask("location.pathname") == "/boards/fds-performance",
        "the board",
        PATIENCE,
        interval=0.2,
    )


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_board_shows_data_in_every_panel(open_page: Open, uid: str) -> None:
    """Nothing is left empty that has data, nothing is named as unknown, nothing jumps."""
    page = open_page(f"/boards/{uid}")

    def filled() -> bool:
        found: list[Mapping[str, Any]] = page.ask(PANELS)
        assert len(found) == len(BOARDS[uid]["panels"])
        lacking = [one for one in found if not one["asked"] or (one["said"] and not rightly(uid, one))]
        assert not lacking, lacking
        return True

    poll_until(filled, f"data in {uid}", FILLED_SECONDS, interval=1.0)
    empty = {one["title"] for one in page.ask(PANELS) if one["said"]}
    charts = sum(one["type"] in CHARTS and one["title"] not in empty for one in BOARDS[uid]["panels"])
    drawn = (
        "[...document.querySelectorAll('.fd-fill')].filter((one) => one.fdChart?.getOption().series.length)"
    )
    assert page.ask(f"{drawn}.length") == charts
    # Below a tenth is what a reader does not notice: https://web.dev/articles/cls
    shift = page.ask(
        "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const one of"
        " list.getEntries()) if (!one.hadRecentInput) sum += one.value; }).observe({ type: 'layout-shift',"
        " buffered: true }); setTimeout(() => done(sum), 300); })"
    )
    assert shift < 0.1


def rightly(uid: str, panel: Mapping[str, Any]) -> bool:
    """Whether the panel may be empty as long as nothing is wrong."""
    return (uid, panel["title"]) in MAY_BE_EMPTY


@pytest.mark.parametrize("panel", BOARDS["fds-performance"]["panels"], ids=lambda panel: panel["title"])
def test_values_are_those_of_prometheus(open_page: Open, stack: LiveStack, panel: Mapping[str, Any]) -> None:
    """The same query, asked of Prometheus for the same times, gives every point that the panel shows."""
    page = open_page("/boards/fds-performance")

    def compare() -> bool:
        shown = page.ask(SHOWN.replace("TITLE", json.dumps(panel["title"])))
        expected = asked_anew(stack, panel, shown)
        drawn = {name: points(data) for _, name, data in shown["series"] if data}
        if not expected and rightly("fds-performance", panel):
            assert not drawn  # a stack that is young
            return True
        assert expected, "Prometheus has nothing"
        if panel["type"] == "piechart":
            (shares,) = drawn.values()
            assert shares == pytest.approx({name: values[max(values)] for name, values in expected.items()})
        elif panel["type"] == "timeseries":
            for name, values in expected.items():
                assert drawn[name] == pytest.approx(values, rel=1e-9)
        else:
            figures = {name: float(value) for name, value in shown["figures"] if value}
            for name, values in expected.items():
                assert figures[name] == pytest.approx(values[max(values)], rel=1e-9)
        return True

    # What was scraped in the last second may come in after the page has asked; the next refresh has it.
    poll_until(compare, f"{panel['title']} to be what Prometheus says", EQUAL_SECONDS, interval=1.0)


def points(data: list[Any]) -> dict[Any, float]:
    """Points by time in seconds, or shares by name."""
    if data and isinstance(data[0], dict):
        return {one["name"]: one["value"] for one in data}
    return {one[0] / 1000: one[1] for one in data if one[1] is not None}


def asked_anew(
    stack: LiveStack, panel: Mapping[str, Any], shown: Mapping[str, Any]
) -> dict[str, dict[float, float]]:
    """The panel's series by legend, from Prometheus itself."""
    found: dict[str, dict[float, float]] = {}
    for target in panel["targets"]:
        expr = target["expr"].replace("$instance", ".+")
        expr = expr.replace("$__rate_interval", f"{shown['rate']:.0f}s")
        expr = expr.replace("$__range", f"{shown['end'] - shown['start']:.0f}s")
        prometheus = stack.prometheus
        if target.get("instant"):
            answer = prometheus.query(expr, at=shown["end"])
        else:
            times = {"start": shown["start"], "end": shown["end"], "step": shown["step"]}
            answer = prometheus.query_range(expr, **times)
        for series in answer.series:
            values = {at: value for at, value in series.points if math.isfinite(value)}
            if values:
                found[legend(series, target["legendFormat"])] = values
    return found


def legend(series: Series, words: str) -> str:
    """The legend with labels filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda part: series.labels[part[1]], words)


def test_exemplar_opens_its_trace(open_page: Open, stack: LiveStack) -> None:
    """A click on a diamond leads to the trace that Jaeger has."""
    page = open_page("/boards/fds-performance")
    page.wait(f"({EXEMPLARS}).length > 2", "exemplars on the latency", FILLED_SECONDS)

    def clicked() -> bool:
        x, y, trace = page.ask(f"({EXEMPLARS})[1]")
        page.click_at(x, y)
        page.wait(f"location.pathname === '/traces/{trace}'", "the trace's page", 5.0)
        return stack.jaeger.trace(trace) is not None

    poll_until(clicked, "a click to lead to a trace", PATIENCE)
    page.wait("document.querySelector('main').innerText.includes('fds')", "the trace to be shown", PATIENCE)


EXEMPLARS = """(() => {
  const panels = [...document.querySelectorAll('.fd-panel')];
  const box = panels.find((one) => one.dataset.panel.startsWith('Latency'));
  const holder = [...(box?.querySelectorAll('.fd-fill') ?? [])].find((one) => one.fdChart);
  if (!holder) return [];
  box.scrollIntoView({ block: 'center' });
  const place = holder.getBoundingClientRect();
  const all = holder.fdChart.getOption().series;
  const seriesIndex = all.findIndex((one) => one.type === 'scatter');
  return (all[seriesIndex]?.data ?? []).map((one) => {
    const [x, y] = holder.fdChart.convertToPixel({ seriesIndex }, one.value);
    return [place.x + x, place.y + y, one.trace];
  });
})()"""


def choose(page: Page, title: str, value: str) -> None:
    """Choose an option of a list as its user would."""
    page.ask(
        f"(() => {{ const one = document.querySelector('select[aria-label={json.dumps(title)}]');"
        f"one.value = {json.dumps(value)}; one.dispatchEvent(new Event('change')); return one.value; }})()"
    )


def test_time_variable_and_refresh_are_chosen_and_stay_in_the_address(open_page: Open) -> None:
    """Five minutes of one instance: finer steps, still data, and an address to pass on."""
    page = open_page("/boards/fds-performance")
    page.wait("document.querySelector('.fd-panel[data-step]')", "the first data", PATIENCE)
    before = float(page.ask("document.querySelector('.fd-panel').dataset.step"))
    choose(page, "Time", "300.0")
    page.wait(f"document.querySelector('.fd-panel').dataset.step < {before}", "finer steps", PATIENCE)
    page.wait("[...document.querySelector('select[aria-label=Instance]').options].length > 1", "names", 5.0)
    choose(page, "Instance", "fds")
    choose(page, "Refresh", "0.0")
    page.wait("location.search.includes('refresh=off')", "the address", PATIENCE)
    assert page.ask("location.search") == "?from=now-300s&to=now&refresh=off&var-instance=fds"
    page.go(page.ask("location.href"))
    page.wait("document.querySelector('.fd-panel[data-step]')", "the same board again", PATIENCE)
    assert page.ask("document.querySelector('select[aria-label=Instance]').value") == "fds"


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: Open) -> None:
    """Panels stand below each other; only the navigation scrolls by itself."""
    for path in ("/", "/boards", "/boards/fds-performance", "/boards/firedrill-start"):
        page = open_page(path, size=PHONE)
        assert page.ask("document.documentElement.scrollWidth") <= PHONE[0], path


def test_on_a_phone_the_navigation_shows_where_one_is(open_page: Open) -> None:
    """Its last entry is in sight on its own page."""
    page = open_page("/sandbox", size=PHONE)
    ends = page.ask(
        "[...document.querySelectorAll('.fd-nav a')].slice(-1).map(one => [one.href, one.ariaCurrent,"
        " one.getBoundingClientRect().left, one.getBoundingClientRect().right])[0]"
    )
    address, current, left, right = ends
    assert address.endswith("/sandbox")
    assert current == "page"
    assert 0 <= left < right <= PHONE[0]


@contextmanager
def own_console(stack: LiveStack, boards: Path, **environment: str) -> Iterator[ConsoleUnderTest]:
    """A console beside the stack's, on boards of the test's own."""
    view = stack.view()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backends = ("prometheus", "loki", "jaeger", "alertmanager", "inbox")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "console.app:from_environment", "--factory", "--port", str(port)],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "OTEL_SDK_DISABLED": "true",
            "CONSOLE_BOARDS": str(boards),
            **{f"{name.upper()}_URL": view.url(name) for name in backends},
            **environment,
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        under_test = ConsoleUnderTest(f"http://127.0.0.1:{port}", "")
        poll_until(
            lambda: httpx.get(under_test.url("/health/ready"), trust_env=False).is_success,
            "the console",
            PATIENCE,
        )
        yield under_test
    finally:
        process.terminate()
        process.wait(30)


def test_a_panel_that_cannot_be_drawn_is_named(
    stack: LiveStack, chromium: Connection, tmp_path: Path
) -> None:
    """An unknown type and a refused query are said, a title with a script is text, the rest is drawn."""
    shutil.copytree(ROOT / "dashboards/shopfds", tmp_path / "shopfds")
    file = tmp_path / "shopfds/fds-performance.json"
    made = json.loads(file.read_text("utf-8"))
    made["panels"][0]["type"] = "newfangled"
    made["panels"][1]["targets"][0]["expr"] = "sum(rate("
    made["panels"][2]["title"] = "<script>window.bad = 1</script><img src=x onerror='window.bad = 1'>"
    file.write_text(json.dumps(made), "utf-8")
    with own_console(stack, tmp_path) as console, pages(chromium, console) as open_page:
        page = open_page("/boards/fds-performance")
        page.wait("document.body.innerText.includes('newfangled')", "the unknown type's name", PATIENCE)
        page.wait("document.body.innerText.includes('refused the request')", "the refusal", PATIENCE)
        assert "<script>window.bad = 1</script>" in page.text(".fd-board")
        assert page.ask("window.bad === undefined")
        page.wait("document.querySelectorAll('.fd-panel[data-end]').length >= 6", "the others", PATIENCE)


def test_dead_prometheus_is_said_and_the_board_recovers(open_page: Open, stack: LiveStack) -> None:
    """The page says who is away and how old its panels are, keeps what it has, and goes on by itself."""
    page = open_page("/boards/fds-performance?refresh=5s")
    page.wait("document.querySelectorAll('.fd-panel[data-end]').length >= 8", "data", PATIENCE)
    stack.must("stop", "prometheus")
    try:
        page.wait("document.body.innerText.includes('Prometheus does not answer')", "the notice", PATIENCE)
        page.wait("document.querySelectorAll('.fd-stale fd-time').length > 0", "how old panels are", PATIENCE)
        assert page.ask(SHOWN.replace("TITLE", '"Latency P50, P95, P99"'))["series"]
        fresh = open_page("/boards/fds-performance")
        fresh.wait("document.body.innerText.includes('Prometheus does not answer')", "a new page", PATIENCE)
    finally:
        stack.must("start", "prometheus")
    page.wait("!document.body.innerText.includes('Prometheus does not answer')", "the recovery", PATIENCE)
    page.wait("document.querySelectorAll('.fd-stale fd-time').length === 0", "fresh panels", PATIENCE)
    fresh.wait("document.querySelectorAll('.fd-panel[data-end]').length >= 8", "data there too", PATIENCE)
