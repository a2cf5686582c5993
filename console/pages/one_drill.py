"""One drill: what it does, its button, its steps with their times, and the graph of its signal."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from console import fields, frame
from console.alerts.rows import active
from console.drills.catalogue import Last, last_of, result_folders
from console.drills.events import Progress
from console.drills.graph import options, scrape_seconds, span
from console.drills.peers import why_not
from console.drills.runs import Runs
from console.frame import Viewer
from console.settings import Settings
from firedrill.drill.model import HEARTBEAT, Drill
from firedrill.drill.result import HEARTBEAT_STEPS, STEPS, Step
from firedrill.drill.steps import CALM
from firedrill.pace import pace_expression

STEP_SECONDS = 0.5
GRAPH_POINTS = 200
WORDS = {
    "running": ("runs", "fd-warn"),
    "stopping": ("is being stopped: it heals first", "fd-warn"),
    "passed": ("passed", "fd-good"),
    "failed": ("failed", "fd-bad"),
    "stopped": ("stopped and healed", ""),
    "died": ("ended without a result", "fd-bad"),
}
_MEANS = {
    "calm": "no alert is on its way",
    "traffic": "the drill's own requests arrive",
    "fault": "it is broken now",
    "signal": "the metric moves",
    "pending": "the rule is true, and has to stay so for a while",
    "firing": "Prometheus tells Alertmanager",
    "notified": "the notice is where it belongs",
    "runbook": "each query of the runbook shows the fault",
    "heal": "the fault is gone",
    "resolved": "the rule is false again",
    "cleared": "the resolved notice is there",
}


class DrillPage:
    """One drill: what it does, its button, its steps and the graph; the same for all who look."""

    def __init__(self, viewer: Viewer, drill: Drill, runs: Runs) -> None:
        self._viewer, self._drill, self._runs = viewer, drill, runs
        self._settings = viewer.console.settings
        self._scrape = scrape_seconds(self._settings.pace)
        self._was: object = ()
        self._drawn_until = 0.0
        self._last: Last | None = None
        self._plot: ui.echart | None = None

    async def begin(self) -> None:
        """Build the page and keep it fresh."""
        drill = self._drill
        with ui.element("div").classes("fd-head"):
            frame.text(drill.alert, tag="h1")
            frame.text(f"{drill.slice} · {drill.labels.get('severity', '')}", tag="span", classes="fd-quiet")
            self._state = ui.element("span")
        _about(drill, self._settings)
        self._viewer.hint_at_token("Running a drill")
        self._actions = ui.element("div").classes("fd-row dr-actions").props("aria-live=polite")
        with ui.element("div").classes("dr-page"):
            with ui.element("section").classes("fd-box").props("aria-label=Steps"):
                self._title = frame.text("Steps", tag="h2")
                self._steps = ui.element("div").classes("fd-scroll")
            with ui.element("section").classes("fd-box dr-graph").props("aria-label=Signal"):
                frame.text(
                    drill.signal.means if drill.signal else "The heartbeat has no signal of its own.",
                    tag="h2",
                )
                self._graph = ui.element("div").classes("dr-chart")
        self._disturbing = frame.text("", classes="fd-quiet dr-remark").props("aria-live=polite")
        self._notes = ui.element("div")
        await self._viewer.keep_fresh(STEP_SECONDS, self.update)

    async def update(self) -> None:
        """Show what has changed."""
        progress = self._own()
        other = self._runs.progress if self._runs.is_running and progress is None else None
        now = (progress, other.drill if other else None)
        if now != self._was:
            over = progress is None or progress.is_over
            if over:
                self._last = await asyncio.to_thread(last_of, self._drill, result_folders(self._settings))
            self._was = now
            self._draw(progress, other)
        self._disturbing.set_text(await self._disturbed(progress))
        await self._draw_graph(progress)

    async def _disturbed(self, progress: Progress | None) -> str:
        """What keeps a drill from being calm."""
        if progress is None or progress.waiting is None or progress.waiting.step != CALM:
            return ""
        alerts = active(await self._viewer.console.sources.prometheus.alerts(), ())
        if not alerts:
            return "No alert is active; it has to stay so for a moment."
        return "Waits until these are over: " + ", ".join(f"{one.name} ({one.state})" for one in alerts)

    def _own(self) -> Progress | None:
        found = self._runs.progress
        return found if found is not None and found.drill == self._drill.name else None

    def _draw(self, progress: Progress | None, other: Progress | None) -> None:
        self._state.clear()
        if progress is not None:
            words, colour = WORDS[progress.state]
            with self._state:
                badge = frame.text(words, tag="span", classes=f"fd-badge {colour}")
                badge.props["data-run"] = progress.state
        self._draw_actions(progress, other)
        steps = progress.steps if progress else _steps_of(self._last)
        self._title.set_text(
            "Steps" if progress else "Steps of the last run" if self._last else "Steps to come"
        )
        self._steps.clear()
        with self._steps:
            _table(self._drill, steps, progress)
        self._notes.clear()
        with self._notes:
            _notes(progress, self._last)

    def _draw_actions(self, progress: Progress | None, other: Progress | None) -> None:
        self._actions.clear()
        why = why_not(self._drill, self._settings)
        with self._actions:
            if why:
                frame.text(f"It cannot run from here: {why}.", classes="fd-quiet")
            elif other is not None:
                frame.text(f"Another drill runs: {other.drill}. One at a time.", classes="fd-quiet")
                frame.anchor("Watch it", f"/drills/{other.drill}")
            elif progress is not None and not progress.is_over:
                if self._viewer.may_change and progress.state == "running":
                    fields.button("Stop and heal", self._stop)
                frame.text(
                    "It goes on without this page; come back any time." if progress.state == "running"
                    else "Healing; this takes a moment.", classes="fd-quiet",
                )  # fmt: skip
            elif self._viewer.may_change:
                fields.button("Run this drill", self._start, classes="fd-main-action")
                frame.text(
                    f"About {_takes(self._drill, self._last, self._settings):.0f} s.", classes="fd-quiet"
                )

    async def _start(self) -> None:
        if not self._viewer.may_change:
            return
        self._drawn_until = 0.0
        await self._runs.start(self._drill.name)
        await self.update()

    async def _stop(self) -> None:
        if self._viewer.may_change:
            await self._runs.stop()
            await self.update()

    async def _draw_graph(self, progress: Progress | None) -> None:
        signal, last = self._drill.signal, self._last
        if signal is None or (progress is None and last is None):
            return
        now = frame.now()
        steps = progress.steps if progress else _steps_of(last)
        began = progress.began if progress else last.at if last else now
        ended = progress.ended if progress else began + (last.seconds if last else 0)
        if now - self._drawn_until < self._scrape or (
            ended is not None and self._drawn_until > ended + 2 * self._scrape
        ):
            return
        start, end = span(steps, began=began, now=now, ended=ended)
        step = max(self._scrape, (end - start) / GRAPH_POINTS)
        query = pace_expression(signal.query, self._settings.pace)
        answer = await self._viewer.console.sources.prometheus.query_range(
            f"sum({query})", start=start, end=end, step=step, ttl=self._scrape
        )
        self._drawn_until = now
        points = answer.series[0].points if answer.series else ()
        drawn = options(self._drill, points, steps, start=start, end=end)
        if self._plot is None:
            with self._graph:
                self._plot = ui.echart(drawn).classes("dr-echart")
        else:
            self._plot.options.clear()
            self._plot.options.update(drawn)
            self._plot.update()


def _about(drill: Drill, settings: Settings) -> None:
    plan, within = drill.traffic, drill.deadlines[settings.pace]
    facts = {
        "Breaks": str(drill.fault),
        "Traffic": f"{plan.rate:g} requests a second to {plan.target}" if plan else "",
        "Notice": "; ".join(map(str, drill.notices)),
        "Deadlines": f"{within.fire:g} s to the notice, {within.clear:g} s from the heal to the resolved one",
    }
    with ui.element("dl").classes("fd-pairs dr-about"):
        for name, value in facts.items():
            if value:
                frame.text(name, tag="dt")
                frame.text(value, tag="dd")
        frame.text("See also", tag="dt")
        with ui.element("dd").classes("fd-row"):
            frame.anchor("Runbook", f"/runbooks/{drill.slice}/{drill.alert}")
            frame.anchor("Alerts", "/alerts")
            frame.anchor("Notices", f"/inbox?alert={drill.alert}")


def _takes(drill: Drill, last: Last | None, settings: Settings) -> float:
    if last is not None and last.passed and last.pace == settings.pace:
        return last.seconds
    return drill.deadlines[settings.pace].fire + drill.deadlines[settings.pace].clear


def _steps_of(last: Last | None) -> tuple[Step, ...]:
    if last is None:
        return ()
    names = ("name", "since", "seconds", "at", "least", "deadline", "text")
    return tuple(Step(**{name: one[name] for name in names}) for one in last.steps)


def _table(drill: Drill, steps: Sequence[Step], progress: Progress | None) -> None:
    reached = {step.name: step for step in steps}
    failed = progress.failed_step if progress else ""
    with ui.element("table").classes("fd-table dr-steps"):
        with ui.element("thead"), ui.element("tr"):
            for heading in ("", "step", "after", "measured", "at the least", "deadline"):
                number = heading in {"measured", "at the least", "deadline"}
                frame.text(heading, tag="th", classes="fd-number" if number else "")
        with ui.element("tbody"):
            for name in HEARTBEAT_STEPS if drill.kind == HEARTBEAT else STEPS:
                _step(name, reached.get(name), progress, failed=name == failed)


def _step(name: str, step: Step | None, progress: Progress | None, *, failed: bool) -> None:
    waits = progress.waiting if progress is not None and not progress.is_over else None
    is_on = step is None and waits is not None and waits.step == name
    state = "done" if step else "failed" if failed else "on" if is_on else "ahead"
    with ui.element("tr").classes(f"dr-step dr-{state}").props(f"data-step={name} data-state={state}"):
        frame.text({"done": "✓", "failed": "✗", "on": "…", "ahead": ""}[state], tag="td", classes="dr-mark")
        with ui.element("td"):
            frame.text(name, tag="strong")
            frame.text((step.text if step and step.text else _MEANS[name]), classes="fd-quiet")
        frame.text(step.since if step else "", tag="td", classes="fd-quiet")
        with ui.element("td").classes("fd-number"):
            if step:
                frame.text(f"{step.seconds:.1f} s", tag="span")
            elif is_on and waits is not None:
                frame.when(waits.since, style="age")
        least = f"{step.least:.1f} s" if step and step.least is not None else ""
        frame.text(least, tag="td", classes="fd-number fd-quiet")
        deadline = step.deadline if step else waits.deadline if is_on and waits is not None else None
        frame.text(
            f"{deadline:.0f} s" if deadline is not None else "", tag="td", classes="fd-number fd-quiet"
        )


def _notes(progress: Progress | None, last: Last | None) -> None:
    failure = progress.failure if progress else last.failure if last and not last.passed else ""
    if failure:
        frame.text(failure, tag="pre", classes="fd-note dr-failure")
    if progress is None:
        return
    if progress.line and not failure:
        frame.text(progress.line, classes="fd-box dr-result")
    for words in (*progress.bound, *(f"Note: {note}" for note in progress.notes)):
        frame.text(words, classes="fd-quiet dr-remark")
