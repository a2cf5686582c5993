"""The sandbox's first page: what it is, the incidents, a shift, and what was run."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from nicegui import ui
from nicegui.element import Element

from console import frame
from console.frame import Viewer
from console.sandbox import looks
from console.sandbox.chosen import HIGHEST_SEED
from console.sandbox.conductor import Conductor, ConductorError
from console.sandbox.model import Incident
from console.sandbox.ports import StageError
from console.sandbox.run import Run
from console.sandbox.scoring import score

INTRO = (
    "For whoever has never been on call. Each incident really happens in this stack: something breaks, the "
    "alert fires, the page comes into the inbox. Look around in the boards, logs and traces, say what is "
    "broken, why and since when, and mend it. Nothing here can do damage: every fault heals by itself."
)


@dataclass
class Lobby:
    """One viewer's list."""

    conductor: Conductor
    viewer: Viewer
    _shown: object = None
    _place: Element | None = None

    def build(self, problem: str) -> None:
        """The page."""
        looks.style()
        frame.text("Sandbox", tag="h1")
        frame.text(INTRO, tag="p", classes="sb-story fd-section")
        if problem:
            frame.note(problem)
        self.viewer.hint_at_token("Starting an incident")
        self._place = ui.element("div").classes("sb-stack")
        self.show()
        ui.timer(1.0, self.show)

    def show(self) -> None:
        """Draw anew when something has changed."""
        active, shift = self.conductor.active, self.conductor.active_shift
        now = (
            active.id if active else "", shift.id if shift else "",
            tuple((one.id, one.phase) for one in self.conductor.runs),
        )  # fmt: skip
        if now == self._shown or self._place is None:
            return
        self._shown = now
        self._place.clear()
        with self._place:
            if active is not None:
                self._goes_on(active)
            if shift is not None:
                with ui.element("div").classes("fd-note fd-row"):
                    frame.text("A shift goes on.", tag="span")
                    frame.anchor("Go to it", f"/sandbox/shifts/{shift.id}")
            self._incidents(busy=active is not None or shift is not None)
            self._shift(busy=active is not None or shift is not None)
            self._runs()

    def _goes_on(self, run: Run) -> None:
        with ui.element("div").classes("fd-note fd-row"):
            frame.text(f"“{run.incident.title}” goes on.", tag="span")
            frame.anchor("Go to it", f"/sandbox/{run.id}")

    def _incidents(self, *, busy: bool) -> None:
        with ui.element("section").props("aria-label=Incidents"), ui.element("div").classes("sb-cards"):
            for one in self.conductor.incidents.values():
                self._card(one, busy=busy)

    def _card(self, one: Incident, *, busy: bool) -> None:
        why = self.conductor.unavailable(one)
        with ui.element("article").classes("fd-box sb-card"):
            with ui.element("div").classes("fd-row"):
                frame.text(one.title, tag="h2").style("margin: 0")
                frame.text(looks.LEVELS[one.level], tag="span", classes="fd-badge")
                if best := self._best(one):
                    frame.text(best, tag="span", classes="fd-badge fd-good")
            frame.text(one.story, tag="p")
            with ui.element("div").classes("sb-foot fd-row"):
                button(
                    "Start", partial(self._start, one.name),
                    off=busy or bool(why) or not self.viewer.may_change,
                    label=f"Start: {one.title}",
                )  # fmt: skip
                frame.text(f"up to {one.limits.solve / 60:.0f} min", tag="span", classes="fd-quiet")
                if why:
                    frame.text(f"Not here: {why}", tag="span", classes="fd-quiet")

    def _best(self, one: Incident) -> str:
        totals = [
            score(run).total
            for run in self.conductor.runs
            if run.incident.name == one.name and run.outcome == "solved"
        ]
        return f"solved, {max(totals)} of 100" if totals else ""

    def _shift(self, *, busy: bool) -> None:
        with ui.element("section").classes("fd-box"):
            frame.text("A shift of three", tag="h2")
            frame.text(
                "Three incidents one after another, one of them misleading; the result is their mean. "
                "The same seed gives the same shift on every machine: incidents, moments and strengths.",
                tag="p", classes="sb-story",
            )  # fmt: skip
            with ui.element("div").classes("fd-row").style("margin-top: 8px"):
                frame.text("Seed", tag="label").props("for=sb-seed")
                seed = ui.element("input").classes("fd-input").style("width: 110px")
                seed.props(f'id=sb-seed type=number min=0 max={HIGHEST_SEED} placeholder="any"')
                off = busy or not self.viewer.may_change
                start = button("Start a shift", None, off=off)
                start.on(
                    "click", lambda event: self._start_shift(event.args),
                    js_handler="() => emit(document.getElementById('sb-seed').value)",
                )  # fmt: skip

    def _runs(self) -> None:
        runs = self.conductor.runs
        if not runs:
            return
        with ui.element("section").classes("fd-box"):
            frame.text("What was run since this console started", tag="h2")
            with (
                ui.element("div").classes("fd-scroll"),
                ui.element("table").classes("fd-table"),
                ui.element("tbody"),
            ):
                for run in runs:
                    self._row(run)

    def _row(self, run: Run) -> None:
        word, colour = looks.outcome(run)
        with ui.element("tr"):
            with ui.element("td"):
                frame.when(run.started_at)
            with ui.element("td"):
                frame.anchor(run.incident.title, f"/sandbox/{run.id}")
            with ui.element("td"):
                frame.text(word, tag="span", classes=f"fd-badge {colour}")
            with ui.element("td").classes("fd-number"):
                over = run.phase == "over" and run.outcome != "void"
                frame.text(f"{score(run).total} of 100" if over else "", tag="span")
            with ui.element("td").classes("fd-quiet"):
                frame.text(f"seed {run.plan.seed}", tag="span")

    async def _start(self, name: str, seed: int | None = None) -> None:
        await start(self.conductor, self.viewer, name, seed)

    async def _start_shift(self, asked: object) -> None:
        if not self.viewer.may_change:
            return
        text = str(asked or "").strip()
        if text and not (text.isdigit() and int(text) <= HIGHEST_SEED):
            ui.notify(f"A seed is a whole number from 0 to {HIGHEST_SEED}.", type="warning")
            return
        try:
            shift = await self.conductor.start_shift(int(text) if text else fresh_seed())
        except (ConductorError, StageError) as error:
            ui.notify(str(error), type="warning", multi_line=True)
            return
        ui.navigate.to(f"/sandbox/shifts/{shift.id}")


def fresh_seed() -> int:
    """Any seed."""
    return secrets.randbelow(HIGHEST_SEED)


async def start(conductor: Conductor, viewer: Viewer, name: str, seed: int | None = None) -> None:
    """Start an incident and go to it, or say why not."""
    if not viewer.may_change:
        return
    try:
        run = await conductor.start(name, fresh_seed() if seed is None else seed)
    except (ConductorError, StageError) as error:
        ui.notify(str(error), type="warning", multi_line=True)
        return
    ui.navigate.to(f"/sandbox/{run.id}")


def button(
    words: str,
    work: Callable[[], Awaitable[None]] | None,
    *,
    off: bool = False,
    label: str = "",
    plain: bool = False,
) -> Element:
    """A button of the console's theme; `off` cannot be pressed."""
    element = frame.text(words, tag="button", classes="fd-button" + ("" if plain else " fd-main-action"))
    element.props("type=button")
    if label:
        element.props["aria-label"] = label
    if off:
        element.props["disabled"] = True
    elif work is not None:
        element.on("click", work)
    return element
