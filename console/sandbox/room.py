"""A run's page while it goes on: the page that came in, where to look, questions, actions, hints, the log."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from nicegui import ui
from nicegui.element import Element

from console import frame
from console.frame import Viewer
from console.sandbox import ending, links, lobby, looks
from console.sandbox.conductor import Conductor, ConductorError
from console.sandbox.model import ACKNOWLEDGE, CAUSE, SINCE, WHERE
from console.sandbox.ports import StageError
from console.sandbox.run import ATTEMPTS, Run, RunError
from console.sandbox.scoring import MENDED, POINTS

# The viewer's own time of day becomes unix seconds where the zone is known: in the browser.
_SINCE_JS = """() => {
  const words = document.getElementById("sb-since").value.split(":").map(Number);
  if (words.length < 2) { emit(null); return; }
  const then = new Date();
  then.setHours(words[0], words[1], words[2] || 0, 0);
  if (then.getTime() > Date.now() + 60000) then.setDate(then.getDate() - 1);
  emit(then.getTime() / 1000);
}"""

_CHOICE_JS = "() => emit(document.querySelector('input[name=sb-QUESTION]:checked')?.value ?? null)"

_PHASES = {
    "settling": "The stack settles. The incident begins when no alert is left from before.",
    "quiet": "You are on call, and all is quiet. Wait for the page; meanwhile see what normal looks like.",
}


def plain(text: str) -> str:
    """A message without Slack's marks for bold and code."""
    return re.sub(r"(?<![\w*`])([*`])([^*`\n]+)\1(?![\w*`])", r"\2", text)


@dataclass
class Room:
    """One viewer's view of one run; each part is drawn anew only when it has changed."""

    conductor: Conductor
    viewer: Viewer
    run_id: str
    _places: dict[str, Element] = field(default_factory=dict)
    _shown: dict[str, object] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """As it stands."""
        return self.conductor.run(self.run_id)

    def build(self) -> None:
        """The page."""
        looks.style()
        run = self.run
        with ui.element("div").classes("fd-head"):
            frame.text(run.incident.title, tag="h1")
            self._places["state"] = ui.element("div").classes("fd-row").props("role=status aria-live=polite")
        frame.text(run.incident.story, tag="p", classes="sb-story fd-section")
        self.viewer.hint_at_token("Answering and acting")
        self._places["end"] = ui.element("div")
        with ui.element("div").classes("sb-room"):
            with ui.element("div").classes("sb-stack"):
                for name in ("page", "questions"):
                    self._places[name] = ui.element("div")
            with ui.element("div").classes("sb-stack"):
                for name in ("actions", "hints", "log"):
                    self._places[name] = ui.element("div")
        self.show()
        ui.timer(0.5, self.show)

    def show(self) -> None:
        """Draw what has changed."""
        try:
            run = self.run
        except ConductorError:
            return
        over = run.phase == "over"
        self._part("state", (run.phase, run.outcome), lambda: self._state(run))
        self._part("end", over, lambda: ending.draw(self.conductor, self.viewer, run) if over else None)
        self._part("page", (run.phase, run.seen_at), lambda: self._page(run))
        asked = run.paged_at is not None and not over
        self._part("questions", asked, lambda: self._questions() if asked else None)
        if asked:  # each for itself: what is half entered in one must not be lost by an answer to another
            self._part(WHERE, run.attempts.get(WHERE), lambda: self._choice(run, WHERE))
            self._part(CAUSE, run.attempts.get(CAUSE), lambda: self._choice(run, CAUSE))
            self._part(SINCE, run.attempts.get(SINCE), lambda: self._since(run))
        self._part("actions", (run.phase, run.deeds), lambda: self._actions(run))
        self._part("hints", (run.phase, run.hints), lambda: self._hints(run))
        self._part("log", run.events, lambda: self._log(run))

    def _part(self, name: str, now: object, draw: Callable[[], object]) -> None:
        if name in self._shown and self._shown[name] == now:
            return
        self._shown[name] = now
        self._places[name].clear()
        with self._places[name]:
            draw()

    def _state(self, run: Run) -> None:
        if run.phase == "over":
            word, colour = looks.outcome(run)
            frame.text(word, tag="span", classes=f"fd-badge {colour}")
            return
        ui.page_title(("(!) " if run.phase == "open" else "") + f"{run.incident.title} · Firedrill")
        words = {
            "settling": "settling", "quiet": "quiet", "open": "page is open", "clearing": "mended, clearing",
            "answers": "cleared, answers open",
        }  # fmt: skip
        colour = {"open": "fd-bad", "clearing": "fd-warn", "answers": "fd-good"}.get(run.phase, "")
        frame.text(words[run.phase], tag="span", classes=f"fd-badge {colour}")
        if run.solve_until is not None:
            with ui.element("span").classes("fd-quiet"):
                frame.text("time until ", tag="span")
                frame.when(run.solve_until)
        ends = "Finish" if run.healed_at is not None else "Give up"
        lobby.button(ends, self._end, off=not self.viewer.may_change, plain=True)

    def _page(self, run: Run) -> None:
        if run.page is None:
            with ui.element("div").classes("fd-box sb-wait"):
                ui.element("span").classes("sb-dot").props("aria-hidden=true")
                frame.text(_PHASES.get(run.phase, run.why or "There was no page."), tag="span")
        else:
            with ui.element("section").classes("fd-box sb-page"):
                self._message(run)
        if run.phase != "over":
            self._where_to_look(run)

    def _message(self, run: Run) -> None:
        page = run.page
        assert page is not None  # asked by the caller
        with ui.element("div").classes("fd-row"):
            frame.text(page.title or page.alert, tag="h2").style("margin: 0")
            frame.text(
                page.kind + (f" {page.channel}" if page.channel else ""), tag="span", classes="fd-badge"
            )
            with ui.element("span").classes("fd-quiet"):
                frame.when(page.received_at)
                frame.text(", ", tag="span")
                frame.when(page.received_at, style="ago")
        frame.text(plain(page.text), tag="pre")
        with ui.element("div").classes("fd-row"):
            if run.seen_at is None and run.phase != "over":
                lobby.button("I take it", self._acknowledge, off=not self.viewer.may_change)
            for label, path in links.own(page.links).items():
                frame.anchor(label, path, blank=True)

    def _where_to_look(self, run: Run) -> None:
        with ui.element("div").classes("fd-row").style("margin-top: 12px"):
            frame.text("Look around:", tag="span", classes="fd-quiet")
            for words, path in (
                ("Boards", "/boards"), ("Alerts", "/alerts"), ("Logs", "/logs"), ("Traces", "/traces"),
                ("Inbox", "/inbox"), ("Ask Prometheus", "/sandbox/query"),
            ):  # fmt: skip
                frame.anchor(words, path, blank=True)

    def _questions(self) -> None:
        with ui.element("section").classes("fd-box"):
            frame.text("What is it?", tag="h2")
            for name in (WHERE, CAUSE, SINCE):
                self._places[name] = ui.element("div").classes("sb-question")

    def _choice(self, run: Run, name: str) -> None:
        asked = run.incident.question(name)
        if asked is None:
            return
        texts = {choice.id: choice.text for choice in asked.choices}
        given = {one.given: one for one in run.attempts.get(name, ())}
        is_open = run.is_open(name) and self.viewer.may_change
        with ui.element("div"):
            with ui.element("fieldset").classes("sb-choices"):
                frame.text(asked.text, tag="legend")
                for choice in run.plan.choices[name]:
                    with ui.element("label"):
                        box = ui.element("input").props(f"type=radio name=sb-{name} value={choice}")
                        if not is_open or choice in given:
                            box.props["disabled"] = True
                        if choice in given and given[choice].right:
                            box.props["checked"] = True
                        right = choice in given and given[choice].right
                        frame.text(texts[choice], tag="span", classes="sb-right" if right else "")
            self._said(run, name)
            if is_open:
                answer = lobby.button(self._answer_words(run, name), None)
                answer.on(
                    "click", lambda event: self._answer(name, event.args),
                    js_handler=_CHOICE_JS.replace("QUESTION", name),
                )  # fmt: skip

    def _since(self, run: Run) -> None:
        is_open = run.is_open(SINCE) and self.viewer.may_change
        with ui.element("div"):
            frame.text(run.incident.since.text, tag="label").props("for=sb-since").style("font-weight: 600")
            frame.text(
                f"By your clock, hours, minutes, seconds; within {run.tolerance:.0f} s is right.",
                classes="fd-quiet",
            )
            self._said(run, SINCE)
            if is_open:
                with ui.element("div").classes("fd-row").style("margin-top: 6px"):
                    ui.element("input").classes("fd-input").props("id=sb-since type=time step=1")
                    answer = lobby.button(self._answer_words(run, SINCE), None)
                    answer.on("click", lambda event: self._answer_since(event.args), js_handler=_SINCE_JS)

    def _answer_words(self, run: Run, name: str) -> str:
        second = len(run.attempts.get(name, ())) > 0
        return f"Answer ({round(POINTS[name] / 2) if second else POINTS[name]} points)"

    def _said(self, run: Run, name: str) -> None:
        given = run.attempts.get(name, ())
        for one in given:
            with ui.element("div").classes(f"sb-said {'fd-good' if one.right else 'fd-bad'}"):
                frame.text(one.says, tag="span")
        if given and not run.is_open(name) and not given[-1].right:
            frame.text(f"That were {ATTEMPTS} attempts; the end tells the answer.", classes="fd-quiet")

    def _actions(self, run: Run) -> None:
        if run.paged_at is None or run.phase == "over":
            return
        with ui.element("section").classes("fd-box"):
            frame.text("What do you do?", tag="h2")
            if run.healed_at is not None:
                frame.text("It is mended. The alert clears by itself; watch it.", tag="p")
            else:
                frame.text(
                    f"One of these mends it ({MENDED} points); each of the others costs.",
                    classes="fd-quiet",
                )
            with ui.element("div").classes("sb-actions").style("margin-top: 8px"):
                for name in run.plan.actions:
                    self._action(run, name)

    def _action(self, run: Run, name: str) -> None:
        action = run.incident.action(name)
        if action is None:
            return
        deed = next((one for one in run.deeds if one.id == name), None)
        off = deed is not None or run.healed_at is not None or not self.viewer.may_change
        lobby.button(action.text, lambda: self._act(name), off=off, plain=True)
        if deed is not None:
            with ui.element("div").classes(f"sb-said {'fd-good' if deed.heals else 'fd-bad'}"):
                frame.text(deed.says + (f" (-{deed.cost} points)" if deed.cost else ""), tag="span")

    def _hints(self, run: Run) -> None:
        if run.paged_at is None or run.phase == "over":
            return
        hints = run.incident.hints
        with ui.element("section").classes("fd-box"):
            frame.text("Hints", tag="h2")
            for hint in hints[: run.hints]:
                with ui.element("div").classes("sb-said"):
                    frame.text(hint.text, tag="span")
            if run.hints < len(hints):
                words = f"{'Next' if run.hints else 'First'} hint (-{hints[run.hints].cost} points)"
                lobby.button(words, self._hint, off=not self.viewer.may_change, plain=True).style(
                    "margin-top: 8px"
                )
            else:
                frame.text("There is no further hint; the expert's path comes last.", classes="fd-quiet")

    def _log(self, run: Run) -> None:
        with (
            ui.element("section").classes("fd-box"),
            ui.element("ol").classes("sb-log").props("aria-label='What happened'"),
        ):
            for event in reversed(run.events):
                with ui.element("li"):
                    frame.when(event.at)
                    frame.text(event.text, tag="span")

    async def _acknowledge(self) -> None:
        await self._do(lambda: self.conductor.acknowledge(self.run_id))

    async def _answer(self, name: str, choice: object) -> None:
        if not isinstance(choice, str):
            ui.notify("Choose one of the answers first.", type="warning")
            return
        await self._do(lambda: self.conductor.answer(self.run_id, name, choice))

    async def _answer_since(self, moment: object) -> None:
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            ui.notify("Enter a time first.", type="warning")
            return
        await self._do(lambda: self.conductor.answer_since(self.run_id, float(moment)))

    async def _hint(self) -> None:
        await self._do(lambda: self.conductor.hint(self.run_id))

    async def _act(self, name: str) -> None:
        if name == ACKNOWLEDGE or not self.viewer.may_change:
            return
        try:
            await self.conductor.act(self.run_id, name)
        except (RunError, ConductorError, StageError) as error:
            ui.notify(str(error), type="warning", multi_line=True)
        self.show()

    async def _end(self) -> None:
        if not self.viewer.may_change:
            return
        try:
            await self.conductor.end(self.run_id)
        except (RunError, ConductorError) as error:
            ui.notify(str(error), type="warning")
        self.show()

    async def _do(self, work: Callable[[], object]) -> None:
        if not self.viewer.may_change:
            return
        try:
            work()
        except (RunError, ConductorError) as error:
            ui.notify(str(error), type="warning", multi_line=True)
        self.show()
