"""The sandbox on the running stack: an incident solved, one given up, a console killed, a shift of three."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from console.sandbox.declared import declared_incidents
from firedrill.screenshots.page import PHONE, Page
from firedrill.wait import poll_until
from tests.integration.conftest import ROOT, LiveStack
from tests.integration.console.browser import PATIENCE, Open

INCIDENTS = declared_incidents(ROOT / "services", ROOT / "config" / "platform")
QUICK, STOPPING = "workflow/door-shut", "platform/silent-logs"
CALM_AND_PAGE_SECONDS = 420.0
CLEARED_SECONDS = 150.0


@dataclass(frozen=True)
class Trainee:
    """Somebody who knows all answers and uses the API."""

    stack: LiveStack

    def get(self, path: str = "") -> Mapping[str, Any]:
        """Read."""
        found: Mapping[str, Any] = self._answer(self.stack.http.get(self._url(path)))
        return found

    def post(self, path: str, body: object = None) -> Mapping[str, Any]:
        """Change."""
        token = self.stack.environ["FAULTS_TOKEN"]
        headers = {"Authorization": f"Bearer {token}"}
        return self._answer(self.stack.http.post(self._url(path), json=body, headers=headers, timeout=90))

    def paged(self, name: str, seed: int = 7) -> str:
        """The id of a run of `name` whose page has come in."""

        def start() -> str:
            # The run before may still be healing.
            return str(self.post("/runs", {"incident": name, "seed": seed})["id"])

        run_id = poll_until(start, f"{name} started", 60)
        return self.until(run_id, lambda run: run["phase"] == "open", CALM_AND_PAGE_SECONDS)["id"]

    def until(
        self, run_id: str, done: Callable[[Mapping[str, Any]], bool], seconds: float
    ) -> Mapping[str, Any]:
        """The run, once it is so. Fails at once when it is over before."""

        def look() -> Mapping[str, Any] | None:
            run = self.get(f"/runs/{run_id}")
            return run if done(run) or run["phase"] == "over" else None

        run = poll_until(look, f"run {run_id}", seconds)
        assert done(run), (run["outcome"], run["why"], run["events"])
        return run

    def diagnose(self, run_id: str) -> None:
        """Take the page and answer all three questions rightly but for the time, which is the page's."""
        run = self.get(f"/runs/{run_id}")
        incident = INCIDENTS[run["incident"]["name"]]
        self.post(f"/runs/{run_id}/act", {"action": "acknowledge"})
        for question in incident.questions:
            told = self.post(f"/runs/{run_id}/answer", {"question": question.id, "answer": question.right.id})
            assert told["right"]
        self.post(f"/runs/{run_id}/answer", {"question": "since", "answer": run["times"]["paged"]})

    def mend(self, run_id: str) -> Mapping[str, Any]:
        """By the right action; the run when its alert has cleared."""
        run = self.get(f"/runs/{run_id}")
        incident = INCIDENTS[run["incident"]["name"]]
        action = next(one.id for one in incident.actions if one.heals)
        assert self.post(f"/runs/{run_id}/act", {"action": action})["helped"]
        return self.until(run_id, lambda one: one["phase"] in {"answers", "over"}, CLEARED_SECONDS)

    def _url(self, path: str) -> str:
        return f"{self.stack.view().url('console')}/api/sandbox{path}"

    def _answer(self, answer: httpx.Response) -> Mapping[str, Any]:
        assert answer.is_success, answer.text
        found: Mapping[str, Any] = answer.json()
        return found


@pytest.fixture
def trainee(stack: LiveStack) -> Trainee:
    """On the session's stack."""
    return Trainee(stack)


def faults_set(stack: LiveStack) -> list[str]:
    """What is broken now."""
    listed = json.loads(stack.must("fault", "list", "--json"))
    return [f"{one['service']}/{one['name']}" for one in listed if one["active"]]


def test_an_incident_is_solved(stack: LiveStack, trainee: Trainee) -> None:
    """A real page in the real inbox, an alert that really clears, a score that adds up, nothing left."""
    run_id = trainee.paged(QUICK)
    run = trainee.get(f"/runs/{run_id}")
    inbox = stack.http.get(
        f"{stack.view().url('inbox')}/api/v1/messages", params={"alertname": run["page"]["alert"]}
    ).json()["messages"]
    assert run["times"]["paged"] in [one["received_at"] for one in inbox if one["status"] == "firing"]
    assert faults_set(stack) == ["workflow/breaker_trip"]
    trainee.diagnose(run_id)
    run = trainee.mend(run_id)
    assert faults_set(stack) == []
    assert run["times"]["cleared"] > run["times"]["healed"]
    run = run if run["phase"] == "over" else trainee.post(f"/runs/{run_id}/end")["run"]
    assert run["outcome"] == "solved"
    lines = {line["what"]: line["points"] for line in run["end"]["score"]["lines"]}
    assert {name: lines[name] for name in ("Page taken", "What is broken", "The cause", "Mended")} == {
        "Page taken": 10, "What is broken": 15, "The cause": 25, "Mended": 25,
    }  # fmt: skip


def test_an_incident_is_given_up(stack: LiveStack, trainee: Trainee) -> None:
    """A hint, a wrong action, then nothing: the stack is healed when the answer comes, the path told."""
    run_id = trainee.paged(STOPPING)
    assert stack.view().state()["promtail"].phase == "held"
    trainee.post(f"/runs/{run_id}/hint")
    wrong = trainee.post(f"/runs/{run_id}/act", {"action": "restart-loki"})
    assert (wrong["helped"], wrong["cost"]) == (False, 10)
    run = trainee.post(f"/runs/{run_id}/end")["run"]
    assert run["outcome"] == "gave up"
    assert run["end"]["score"]["total"] == 0
    assert run["end"]["broke"] == [{"stopped": "promtail"}]
    assert stack.view().state()["promtail"].phase == "ready"


def test_a_killed_console_leaves_nothing_broken(stack: LiveStack, trainee: Trainee) -> None:
    """The process beside it heals; the console that is started again knows nothing of the run."""
    run_id = trainee.paged(QUICK)
    pid = stack.view().state()["console"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    poll_until(lambda: not faults_set(stack), "healed", 30)
    poll_until(lambda: trainee.get()["active"] is None, "the console is back", 60)
    with pytest.raises(AssertionError, match="a console that restarts forgets them"):
        trainee.get(f"/runs/{run_id}")


def press(page: Page, words: str) -> None:
    """Click the button that says so."""
    page.wait(_button(words), f"a button {words!r}", PATIENCE)
    _click(page, _button(words))


def choose(page: Page, question: str, answer: str) -> None:
    """Answer a question with choices."""
    box = f"document.querySelector('input[name=sb-{question}][value={answer}]')"
    _click(page, box)
    page.wait(f"{box}.checked", f"{answer} to be chosen", PATIENCE)
    _click(page, f"{box}.closest('.sb-question').querySelector('button')")


def _click(page: Page, element: str) -> None:
    """As a mouse would, whichever element a JavaScript expression gives."""
    page.ask("document.querySelectorAll('[data-now]').forEach(one => delete one.dataset.now)")
    page.ask(f"{element}.dataset.now = 'yes'")
    page.click("[data-now]")


def _button(words: str) -> str:
    text = json.dumps(words)
    found = f"[...document.querySelectorAll('.fd-main button')].find(one => one.innerText.startsWith({text}))"
    return f"({found})"


def start_and_wait(page: Page, trainee: Trainee, name: str) -> str:
    """Start from the list; the run's id, when its page has come in."""
    poll_until(lambda: trainee.get()["active"] is None, "nothing else goes on", 60)
    label = json.dumps(f"Start: {INCIDENTS[name].title}")
    page.wait(f"document.querySelector('button[aria-label={label}]:not([disabled])')", label, PATIENCE)
    page.wait("window.socket?.connected", "the page to be connected", PATIENCE)
    page.click(f"button[aria-label={label}]")
    page.wait("/^.sandbox.[0-9a-f]{8}$/.test(location.pathname)", "the run's page", PATIENCE)
    page.wait(_button("I take it"), "the page", CALM_AND_PAGE_SECONDS)
    return str(page.ask("location.pathname.split('/').pop()"))


def test_an_incident_is_solved_in_the_browser(open_page: Open, trainee: Trainee) -> None:
    """From the list to the score, with mouse and keyboard; the API says the same."""
    page = open_page("/sandbox", token=True)
    run_id = start_and_wait(page, trainee, QUICK)
    incident = INCIDENTS[QUICK]
    assert "workflow/breaker_trip" not in page.text()
    press(page, "I take it")
    for question in incident.questions:
        choose(page, question.id, question.right.id)
        page.wait(
            f"document.querySelector('input[name=sb-{question.id}]:checked:disabled')", "right", PATIENCE
        )
    paged = trainee.get(f"/runs/{run_id}")["times"]["paged"]
    clock = f"new Date({paged} * 1000).toTimeString().slice(0, 8)"
    page.ask(f"document.getElementById('sb-since').value = {clock}")
    press(page, "Answer")
    page.wait("document.querySelectorAll('.sb-said').length >= 3", "the third answer", PATIENCE)
    press(page, next(action.text for action in incident.actions if action.heals))
    trainee.until(run_id, lambda run: run["phase"] in {"answers", "over"}, CLEARED_SECONDS)
    if trainee.get(f"/runs/{run_id}")["phase"] == "answers":
        press(page, "Finish")
    page.wait("document.querySelector('.sb-score')", "the score", PATIENCE)
    end = trainee.get(f"/runs/{run_id}")["end"]
    assert page.text(".sb-score") == str(end["score"]["total"])
    assert "workflow/breaker_trip" in page.text()
    for step in incident.path:
        assert step.why in page.text(".sb-path")


def test_an_incident_is_failed_in_the_browser(open_page: Open, trainee: Trainee) -> None:
    """Two wrong answers, every wrong action, all hints, giving up: no points, and the path all the same."""
    page = open_page("/sandbox", token=True, size=PHONE)
    start_and_wait(page, trainee, STOPPING)
    incident = INCIDENTS[STOPPING]
    wrong = [choice for choice in incident.questions[0].choices if not choice.right][:2]
    for choice in wrong:
        choose(page, "where", choice.id)
        page.wait(f"document.body.innerText.includes({json.dumps(choice.says)})", choice.id, PATIENCE)
    page.wait("document.querySelector('input[name=sb-where]:disabled')", "no third attempt", PATIENCE)
    for action in incident.actions:
        if not action.heals:
            press(page, action.text)
            page.wait(f"document.body.innerText.includes({json.dumps(action.says)})", action.id, PATIENCE)
    for number, hint in enumerate(incident.hints):
        press(page, "Next hint" if number else "First hint")
        page.wait(f"document.body.innerText.includes({json.dumps(hint.text)})", hint.text, PATIENCE)
    press(page, "Give up")
    page.wait("document.querySelector('.sb-score')", "the end", PATIENCE)
    assert page.text(".sb-score") == "0"
    assert "given up" in page.text(".fd-head")
    assert incident.lesson in page.text()


def test_without_the_token_nothing_can_be_pressed(open_page: Open) -> None:
    """The list can be read, and says where the link is."""
    page = open_page("/sandbox")
    assert "make status" in page.text()
    assert page.ask("[...document.querySelectorAll('.fd-main button')].every(one => one.disabled)")


@pytest.mark.skipif(not os.environ.get("FIREDRILL_LONG_TESTS"), reason="ten minutes: FIREDRILL_LONG_TESTS=1")
def test_a_shift_of_three(trainee: Trainee) -> None:
    """Three incidents under one seed, each graded, and their mean."""
    shift = trainee.post("/shifts", {"seed": 7})
    for number in range(3):

        def begun(number: int = number) -> str | None:
            runs = trainee.get(f"/shifts/{shift['id']}")["runs"]
            return str(runs[number]["id"]) if len(runs) > number else None

        run_id = poll_until(begun, f"incident {number + 1}", 120)
        trainee.until(run_id, lambda run: run["phase"] == "open", CALM_AND_PAGE_SECONDS)
        trainee.diagnose(run_id)
        if trainee.mend(run_id)["phase"] != "over":
            trainee.post(f"/runs/{run_id}/end")
    ended = poll_until(
        lambda: found if (found := trainee.get(f"/shifts/{shift['id']}"))["ended"] else None, "the end", 60
    )
    assert [run["outcome"] for run in ended["runs"]] == ["solved"] * 3
    assert ended["total"] == round(sum(run["end"]["score"]["total"] for run in ended["runs"]) / 3)
