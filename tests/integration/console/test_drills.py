"""Drills from the page in a real browser: one runs to its end, one is stopped, one stops a process."""

import signal
from pathlib import Path

import pytest

from console.settings import FAULTY
from firedrill.screenshots.chromium import Connection
from firedrill.screenshots.page import Page
from firedrill.wait import poll_until
from tests.integration.conftest import LiveStack
from tests.integration.console.browser import PATIENCE, ConsoleUnderTest, Open
from tests.integration.console.desk import console, see

# Calm, traffic, the deadlines of the drill and the waits of a busy machine.
RUN_SECONDS = 420.0
GENTLE = "fds/FDSSLAViolation"  # one request a second: it passes on a busy machine too
STEPS = [
    "calm",
    "traffic",
    "fault",
    "signal",
    "pending",
    "firing",
    "notified",
    "runbook",
    "heal",
    "resolved",
    "cleared",
]


# How the run on the page is, as its badge has it.
STATE = "document.querySelector('[data-run]')?.dataset.run"
OVER = f"['passed', 'failed', 'stopped', 'died'].includes({STATE})"


def begun(open_page: Open, drill: str) -> Page:
    """The page of a drill that was started there, when nothing else runs."""
    page = open_page(f"/drills/{drill}", token=True)
    page.wait("document.querySelector('.dr-actions .fd-main-action')", "the button", RUN_SECONDS)
    page.click(".dr-actions .fd-main-action")
    page.wait(f"{STATE} === 'running'", "the run", PATIENCE)
    return page


def reached(page: Page, step: str) -> None:
    """Wait until a step is done. Fails at once when the run is over before."""
    done = f"document.querySelector('[data-step={step}][data-state=done]')"
    page.wait(f"{done} || {OVER}", f"step {step}", RUN_SECONDS)
    assert page.ask(f"Boolean({done})"), page.text(".fd-main")


def ended(page: Page) -> str:
    """How the run ended."""
    page.wait(OVER, "the end", RUN_SECONDS)
    return str(page.ask(STATE))


def test_a_drill_runs_to_its_end_and_survives_a_reload(open_page: Open) -> None:
    """Each step shows its time when it is reached; a page that comes later sees the same run."""
    page = begun(open_page, GENTLE)
    reached(page, "fault")
    page.wait("document.querySelector('.dr-chart canvas, .dr-chart svg')", "the graph", 60)
    page.go(page.ask("location.href"))
    reached(page, "firing")
    assert ended(page) == "passed", page.text(".fd-main")
    assert (
        page.ask("[...document.querySelectorAll('[data-state=done]')].map(one => one.dataset.step)") == STEPS
    )
    listed = open_page("/drills")
    row = "[...document.querySelectorAll('.dr-item')].find(one => one.innerText.includes('FDSSLAViolation'))"
    listed.wait(f"{row}?.innerText.includes('passed')", "the result in the list", 30)


def test_a_stopped_drill_heals_and_only_one_runs(open_page: Open, stack: LiveStack) -> None:
    """While it runs no other can begin; after the stop its fault is gone."""
    page = begun(open_page, GENTLE)
    other = open_page("/drills/judgment/JudgmentHighErrorRate", token=True)
    see(other, ".dr-actions", f"Another drill runs: {GENTLE}")
    reached(page, "fault")
    assert faults(stack) == 1
    page.click(".dr-actions .fd-button")
    assert ended(page) == "stopped", page.text(".fd-main")
    poll_until(lambda: faults(stack) == 0, "the fault to be gone", 10)


def test_a_drill_that_stops_a_process_works_where_processes_can_be_stopped(
    open_page: Open, stack: LiveStack
) -> None:
    """The local runtime stops it and starts it again, on the word of the console."""
    page = begun(open_page, "platform/TargetDown")
    reached(page, "fault")
    assert ended(page) == "passed", page.text(".fd-main")
    assert stack.view().state()["redis-exporter"].phase == "ready"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_console_that_ends_leaves_nothing_broken(
    chromium: Connection, stack: LiveStack, tmp_path: Path, name: str
) -> None:
    """Asked to end, it waits for the heal; killed, the drill heals by itself."""
    view = stack.view()
    names = (*FAULTY, "prometheus", "loki", "jaeger", "alertmanager", "inbox")
    environ = {f"{one.upper()}_URL": view.url(one) for one in names}
    own = {"FAULTS_TOKEN": view.settings["FAULTS_TOKEN"], "FIREDRILL_STATE": str(view.state_folder)}
    page = Page(chromium)
    with console({**environ, **own, "PACE": "demo"}, tmp_path) as (url, process):
        under_test = ConsoleUnderTest(url, own["FAULTS_TOKEN"])

        def open_own(path: str, *, token: bool) -> Page:
            page.go(under_test.url(path, token=token))
            return page

        reached(begun(open_own, GENTLE), "fault")
        assert faults(stack) == 1
        process.send_signal(getattr(signal, name))  # while somebody watches
        process.wait(30)
        poll_until(lambda: faults(stack) == 0, "the fault to be gone", 30)
    page.close()


@pytest.mark.parametrize("drill", ["platform/TargetDown", "platform/Watchdog"])
def test_a_container_says_why_it_cannot_stop_a_process(open_desk: Open, drill: str) -> None:
    """There is no button that would fail; the command that can do it is named."""
    page = open_desk(f"/drills/{drill}", token=True)
    see(page, ".dr-actions", "a console in a container cannot stop a process")
    see(page, ".dr-actions", f"make drill NAME={drill.partition('/')[2]}")
    assert page.ask("document.querySelectorAll('.dr-actions button').length") == 0


def test_nobody_runs_a_drill_without_the_token(open_desk: Open) -> None:
    """The page is readable and says where the link is."""
    page = open_desk("/drills/fds/FDSSLAViolation")
    see(page, ".fd-note", "make status")
    see(page, ".dr-steps", "cleared")
    assert page.ask("document.querySelectorAll('.dr-actions button').length") == 0


def faults(stack: LiveStack) -> int:
    """How many faults are in fds now."""
    headers = {"Authorization": f"Bearer {stack.environ['FAULTS_TOKEN']}"}
    found = stack.http.get(f"{stack.view().url('fds')}/faults", headers=headers).json()["faults"]
    return sum(1 for one in found if one["active"])
